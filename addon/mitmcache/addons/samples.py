"""Several answers to one call, which take turns: those that are missing are collected first."""

import asyncio
import time
from collections import OrderedDict

from mitmproxy import http

from mitmcache.addons.storage import Storage
from mitmcache.addons.trail import Trail, trail_of
from mitmcache.cache import key as keys
from mitmcache.cache.turns import Turns
from mitmcache.finder import Found
from mitmcache.selection import About

MOST = 4096
"""Calls whose turns are known; of one that is forgotten, the store is asked again."""
GAPS = 2
"""Variants that may be missing before the stored ones, where there is no upstream: they came in order, and
each look takes its time."""


class Samples:
    """Each variant is stored under a key of its own, so that a restart finds what has been collected."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._calls: OrderedDict[str, tuple[Turns, asyncio.Lock]] = OrderedDict()

    async def find(self, trail: Trail, about: About, *, read: bool, refused: bool) -> Found | None:
        """The answer to give, fresh or not. None: the upstream's is to be kept under the key that the trail
        has now. With `refused`, there is no upstream; without `read`, nothing is given."""
        assert trail.lookup is not None
        variants = trail.lookup.variants
        if variants == 1:
            return await self._stored(trail, about) if read else None
        base, (turns, lock) = trail.key, self._turns(trail.key)
        if not read:
            self._choose(trail, base, turns.any(variants))
            return None
        # one after another: who looks must see what the one before has taken
        async with lock:
            missing = 0
            for number in turns.unknown(variants, time.monotonic()):
                self._choose(trail, base, number)
                found = await self._stored(trail, about)
                if found and (refused or _fresh(found)):
                    turns.stored(number)
                    found.close()
                elif not refused:
                    self._take(trail, turns, number)
                    return found
                elif (missing := missing + 1) > GAPS:
                    break
            shared = turns.shared(variants)
            if shared is not None and not refused:
                self._choose(trail, base, shared)
                return None
            return await self._next(trail, about, turns, base, refused=refused)

    def response(self, flow: http.HTTPFlow) -> None:
        trail = trail_of(flow)
        if trail.making:
            turns, number = trail.making
            turns.release(number)
            trail.making = None

    def error(self, flow: http.HTTPFlow) -> None:
        self.response(flow)

    async def _next(
        self, trail: Trail, about: About, turns: Turns, base: str, *, refused: bool
    ) -> Found | None:
        """All that can be had are there."""
        assert trail.lookup is not None
        number = turns.next(trail.lookup.variants)
        self._choose(trail, base, number or 0)
        if number is None:
            return None
        found = await self._stored(trail, about)
        if found is None or not (refused or _fresh(found)):
            turns.lost()
            self._take(trail, turns, number)
        return found

    async def _stored(self, trail: Trail, about: About) -> Found | None:
        assert trail.likeness is not None
        if found := self._storage.at_hand(trail.key):
            return found
        return await self._storage.find(trail.key, about, trail.likeness)

    def _choose(self, trail: Trail, base: str, number: int) -> None:
        assert trail.lookup is not None
        trail.key = keys.variant(base, number)
        trail.note = f"variant-{number + 1}-of-{trail.lookup.variants}"

    def _take(self, trail: Trail, turns: Turns, number: int) -> None:
        turns.take(number, time.monotonic())
        trail.making = (turns, number)

    def _turns(self, key: str) -> tuple[Turns, asyncio.Lock]:
        found = self._calls.setdefault(key, (Turns(), asyncio.Lock()))
        self._calls.move_to_end(key)
        if len(self._calls) > MOST:
            self._calls.popitem(last=False)
        return found


def _fresh(found: Found) -> bool:
    return not found.record.expires or found.record.expires > time.time()
