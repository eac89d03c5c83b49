"""A disk's memory, and what the tests of the purger ask."""

import asyncio
from collections.abc import Callable
from typing import Any

from mitmcache.cache.generations import Generations
from mitmcache.purge.purger import KNOWN, Purger
from mitmcache.selection import About
from mitmcache.store.base import StoreError

KEY = "0" * 64
SOON = 60.0
type Open = Callable[..., Purger]


class Note:
    """What a disk remembers, for any number of processes; it fails while `broken`."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.broken = False

    async def recall(self, name: str) -> bytes | None:
        if self.broken:
            raise StoreError("the disk is broken")
        return self.values.get(name)

    async def remember(self, name: str, value: bytes) -> None:
        if self.broken:
            raise StoreError("the disk is broken")
        self.values[name] = value

    @property
    def known(self) -> Generations:
        return Generations.from_json(self.values[KNOWN])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


def invalid(purger: Purger, **about: Any) -> bool:
    return not purger.valid(KEY, About(**about))
