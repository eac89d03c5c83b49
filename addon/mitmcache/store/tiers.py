"""Memory, disk and bucket as one Store. The slower ones never fail a call: what they do wrong is a miss."""

import asyncio
from dataclasses import dataclass, field
from typing import Literal, Protocol

from mitmcache.selection import UNKNOWN, About
from mitmcache.store.base import Blob, Entry, Store, StoreError
from mitmcache.store.memory import MemoryStore

DEADLINE = 2.0
"""Seconds for the disk. A busy machine needs some of them, and an answer that is there is worth the wait."""

type Tier = Literal["memory", "disk", "bucket"]


class Disk(Store, Protocol):
    def touch(self, key: str) -> None:
        """The key was used, wherever it was found."""

    def lacks(self, key: str) -> bool:
        """It is certainly not there. False: `get` has to be asked."""


class Bucket(Protocol):
    """Keeps its own deadline, and is filled from the disk (see store/uploads.py), never from here."""

    async def get(self, key: str, about: About) -> Blob | None: ...

    async def delete(self, key: str, about: About) -> None: ...

    async def close(self, deadline: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Found:
    blob: Blob = field(repr=False)
    tier: Tier


class Tiers:
    """A Store. With no disk, memory alone; the bucket may be missing too. Only for the event loop's thread.

    `disk_hits` and `disk_misses` count the lookups that the disk has answered, `lookup_failed` and
    `lookup_timeout` those that it could not; memory and the bucket count their own.
    """

    def __init__(
        self,
        memory: MemoryStore,
        disk: Disk | None,
        bucket: Bucket | None = None,
        *,
        deadline: float | None = None,
    ) -> None:
        self.memory = memory
        self.disk_hits = 0
        self.disk_misses = 0
        self.lookup_failed = 0
        self.lookup_timeout = 0
        self._disk = disk
        self._bucket = bucket
        self._deadline = DEADLINE if deadline is None else deadline

    async def find(self, key: str, about: About = UNKNOWN, below: Tier | None = None) -> Found | None:
        """The blob of the fastest tier that has one, of those slower than `below`.

        `about` has the provider and the model, by which the bucket names its objects. The disk has
        `deadline` seconds. Nothing is copied to a faster tier until `fill` is told that the blob is good.
        """
        if below is None:
            blob: Blob | None = await self.memory.get(key)
            if blob is not None:
                if self._disk:
                    self._disk.touch(key)
                return Found(blob, "memory")
        if self._disk and below in (None, "memory"):
            blob = await self._read(self._disk, key)
            if blob is not None:
                self.disk_hits += 1
                return Found(blob, "disk")
        if self._bucket and below != "bucket":
            try:
                blob = await self._bucket.get(key, about)
            except StoreError:  # counted by the bucket, which also says so in the log
                return None
            if blob is not None:
                return Found(blob, "bucket")
        return None

    def at_hand(self, key: str) -> object | None:
        """What was made of the blob that memory has (see MemoryStore). Whoever uses it says `used`."""
        return self.memory.made(key)

    def used(self, key: str) -> None:
        """As a `find` that has found it in memory."""
        self.memory.use(key)
        if self._disk:
            self._disk.touch(key)

    def fill(self, entry: Entry, tier: Tier) -> None:
        """Copies what was found in `tier` to the faster ones. What was put in the meantime is newer, and
        stays: memory has it."""
        if entry.key in self.memory:
            return
        if isinstance(entry.blob, bytes):
            self.memory.put(entry)
        if tier == "bucket" and self._disk:
            self._disk.put(entry)

    async def get(self, key: str) -> Blob | None:
        found = await self.find(key)
        return found.blob if found else None

    def put(self, entry: Entry) -> bool:
        """True: at least one tier took it."""
        queued = self._disk.put(entry) if self._disk else False
        return self.memory.put(entry) or queued

    async def delete(self, key: str) -> None:
        """From this machine. StoreError: it is gone from memory, and may still be on disk."""
        await self.memory.delete(key)
        if self._disk:
            await self._disk.delete(key)

    async def discard(self, key: str, about: About, tier: Tier) -> None:
        """Removes what cannot be read from the tier where it was found. StoreError: it is still there."""
        if tier == "bucket" and self._bucket:
            await self._bucket.delete(key, about)
        elif tier == "disk":
            await self.delete(key)
        else:
            await self.memory.delete(key)

    async def close(self, deadline: float) -> None:
        await self.memory.close(deadline)
        slower = [tier.close(deadline) for tier in (self._disk, self._bucket) if tier]
        await asyncio.gather(*slower)

    async def _read(self, disk: Disk, key: str) -> Blob | None:
        """A read that comes too late is let go of by the disk's own thread."""
        if disk.lacks(key):  # before a deadline is set, which takes longer
            self.disk_misses += 1
            return None
        try:
            async with asyncio.timeout(self._deadline):
                blob = await disk.get(key)
            self.disk_misses += blob is None
            return blob
        except TimeoutError:
            self.lookup_timeout += 1
        except StoreError:
            self.lookup_failed += 1
        return None
