"""Remembers the misses of this process: the last of them on the disk, and what they have in common."""

from contextlib import suppress
from typing import Protocol

from mitmcache.batches import Batches
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
        self._batches = Batches(self._write, PACE, KEPT)

    def note(self, at: float, key: str, host: str, model: str, why: str, near: Near | None) -> None:
        """`why` as in Miss. Returns at once."""
        if near and near.places:
            self.suspects.note(host, model, near.changed)
        if self.disk is None:
            return
        nearest, places = (near.key, tuple(near.places)) if near else ("", ())
        self._batches.waiting.append(Miss(at, key, host, model, why, nearest, places))
        self._batches.begin()

    async def flush(self, deadline: float) -> None:
        """Waits until what was noted is written or given up, at most `deadline` seconds."""
        await self._batches.flush(deadline)

    async def _write(self, batch: list[Miss]) -> None:
        assert self.disk
        with suppress(StoreError):
            await self.disk.note(batch)
