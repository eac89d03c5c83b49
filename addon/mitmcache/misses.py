"""Remembers the misses of this process: the last of them on the disk, and what they have in common."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Protocol

from mitmcache.cache.shape import Near
from mitmcache.cache.suspects import Suspects
from mitmcache.store.base import StoreError
from mitmcache.store.misses import KEPT, Miss

PACE = 0.2
"""Seconds between two writes."""


class Disk(Protocol):
    async def note(self, missed: list[Miss]) -> None:
        """Raises StoreError."""


class Misses:
    """On the event loop. `disk` may be given later; without one nothing is written.

    Never fails a call: what the disk does not take is forgotten.
    """

    def __init__(self) -> None:
        self.disk: Disk | None = None
        self.suspects = Suspects()
        self._waiting: deque[Miss] = deque(maxlen=KEPT)
        self._hurry = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    def note(self, at: float, key: str, host: str, model: str, why: str, near: Near | None) -> None:
        """`why` as in Miss. Returns at once."""
        if near and near.places:
            self.suspects.note(host, model, near.changed)
        if self.disk is None:
            return
        nearest, places = (near.key, tuple(near.places)) if near else ("", ())
        self._waiting.append(Miss(at, key, host, model, why, nearest, places))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(self.disk))

    async def flush(self, deadline: float) -> None:
        """Waits until what was noted is written or given up, at most `deadline` seconds."""
        if self._writing:
            self._hurry.set()
            await asyncio.wait([self._writing], timeout=deadline)
            self._hurry.clear()

    async def _write(self, disk: Disk) -> None:
        try:
            while self._waiting:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._hurry.wait(), PACE)
                batch = list(self._waiting)
                self._waiting.clear()
                with suppress(StoreError):
                    await disk.note(batch)
        finally:
            self._writing = None
