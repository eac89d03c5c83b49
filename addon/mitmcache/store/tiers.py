"""Memory in front of disk, as one Store. The disk never fails a call: whatever it does wrong is a miss."""

import asyncio
from dataclasses import dataclass, field
from typing import Literal, Protocol

from mitmcache.store.base import Entry, Store, StoreError
from mitmcache.store.memory import MemoryStore

DEADLINE = 0.5


class Disk(Store, Protocol):
    def touch(self, key: str) -> None:
        """The key was used, wherever it was found."""


@dataclass(frozen=True, slots=True)
class Found:
    blob: bytes = field(repr=False)
    tier: Literal["memory", "disk"]


class Tiers:
    """A Store. With no disk, memory alone. Only for the event loop's thread.

    `lookup_failed` and `lookup_timeout` count the lookups that the disk could not answer.
    """

    def __init__(self, memory: MemoryStore, disk: Disk | None, *, deadline: float = DEADLINE) -> None:
        self.memory = memory
        self.lookup_failed = 0
        self.lookup_timeout = 0
        self._disk = disk
        self._deadline = deadline
        self._looking: dict[str, int] = {}
        self._changed: set[str] = set()

    async def find(self, key: str) -> Found | None:
        """The blob last put and the tier that had it, after at most `deadline` seconds.

        A disk hit goes to memory, unless the key was put or deleted while the disk was being read.
        """
        blob = await self.memory.get(key)
        if blob is not None:
            if self._disk:
                self._disk.touch(key)
            return Found(blob, "memory")
        if self._disk is None:
            return None
        self._looking[key] = self._looking.get(key, 0) + 1
        try:
            blob = await self._read(self._disk, key)
            if blob is not None and key not in self._changed:
                self.memory.put(Entry(key, blob))
        finally:
            self._looking[key] -= 1
            if not self._looking[key]:
                del self._looking[key]
                self._changed.discard(key)
        return None if blob is None else Found(blob, "disk")

    async def get(self, key: str) -> bytes | None:
        found = await self.find(key)
        return found.blob if found else None

    def put(self, entry: Entry) -> bool:
        """True: at least one tier took it."""
        self._note_change(entry.key)
        kept = self.memory.put(entry)
        queued = self._disk.put(entry) if self._disk else False
        return kept or queued

    async def delete(self, key: str) -> None:
        """StoreError: it is gone from memory, and may still be on disk."""
        self._note_change(key)
        await self.memory.delete(key)
        if self._disk:
            await self._disk.delete(key)

    async def close(self, deadline: float) -> None:
        await self.memory.close(deadline)
        if self._disk:
            await self._disk.close(deadline)

    async def _read(self, disk: Disk, key: str) -> bytes | None:
        try:
            async with asyncio.timeout(self._deadline):
                return await disk.get(key)
        except TimeoutError:
            self.lookup_timeout += 1
        except StoreError:
            self.lookup_failed += 1
        return None

    def _note_change(self, key: str) -> None:
        if key in self._looking:
            self._changed.add(key)
