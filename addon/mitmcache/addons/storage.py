"""Opens the stores at the start and closes them at the end."""

import asyncio
import time
from functools import lru_cache

from mitmproxy import exceptions

from mitmcache.addons.options import Options
from mitmcache.cache import shape
from mitmcache.cache.body import Body
from mitmcache.cache.key import Ingredients
from mitmcache.cache.likeness import Likeness
from mitmcache.cache.run import Run
from mitmcache.cache.shape import Near
from mitmcache.cache.tap import Budget
from mitmcache.finder import Finder, Found
from mitmcache.keeper import Keeper
from mitmcache.misses import Misses
from mitmcache.selection import About
from mitmcache.settings import Settings
from mitmcache.store.base import StoreError
from mitmcache.store.tiers import Tiers
from mitmcache.stores import Stores
from mitmcache.tally import Tally

IN_FLIGHT = 256 << 20
"""Bytes of streams being heard and of replies not yet stored, all together."""
SETTLE = 2.0
"""Seconds that a caller waits for the very answer that has just gone by."""
CLOSE = 5.0
"""Seconds for writing what is queued at the end."""
COMPARED_INLINE = 16 * 1024
"""A larger request, or shapes of more bytes, are compared in a thread: it takes longer than parsing."""
UNPACKED = 128
"""Shapes; the largest that there are take 10 MB then."""
FOUND = ("stale", "request", "miss", "this-run")
"""Why a call is a miss although its answer is, or may be, stored."""
FIXED = ("store", "secret", "lookup_timeout", "poll", "spool", "data_dir", "max_body", "memory", "disk")
"""Settings that the stores are opened with."""


class Storage:
    """The stores, and the keeper that fills them. They are there from the first `configure` on.

    `secret` keys the digests in shapes; by default it is the disk's own.
    """

    stores: Stores
    tiers: Tiers
    keeper: Keeper

    def __init__(self, options: Options, tally: Tally, secret: bytes = b"") -> None:
        self._options = options
        self._tally = tally
        self._secret = secret
        self._opened: Settings | None = None
        self.budget = Budget(IN_FLIGHT)
        self.run = Run()
        self.misses = Misses()

    def configure(self, updated: set[str]) -> None:
        settings = self._options.current
        if self._opened is None:
            self._open(settings)
            self._opened = settings
            return
        for name in FIXED:
            if getattr(settings, name) != getattr(self._opened, name):
                raise exceptions.OptionsError(f"llm_{name}: is read at the start; restart to change it")

    def running(self) -> None:
        self.stores.start()

    def done(self) -> "asyncio.Task[None] | None":
        # a plain function that returns a task: mitmproxy awaits it, and on a hot reload may call it too
        return asyncio.create_task(self._close()) if self._opened else None

    def generation(self) -> int:
        """The newest purge that is known: for the record of a call that begins now."""
        return self.stores.purger.current.latest

    def likeness(self, parts: Ingredients, body: Body) -> Likeness:
        return Likeness(parts, body, self.stores.secret)

    async def find(self, key: str, about: About, likeness: Likeness) -> Found | None:
        """The record under a key, wherever it is, fresh or not; `about` has its provider and model."""
        await self.keeper.settled(key, SETTLE)
        return await self._finder.find(key, about, likeness)

    def at_hand(self, key: str) -> Found | None:
        """The record under a key, where `find` would give that one of the memory's, fresh, and at once."""
        return None if key in self.keeper.unsettled else self._finder.at_hand(key)

    async def nearest(
        self, likeness: Likeness, among: int, *, without: str = "", lately: bool = False
    ) -> Near | None:
        """The most alike stored request; None: there is none to compare with.

        It is looked for `among` so many, those used last. `without`: a key that is none of them. `lately`:
        what another process has stored in the last second may not be seen.
        """
        if self.stores.disk is None:
            return None
        try:
            stored = await self.stores.disk.nearest(likeness.group, among, lately=lately)
        except StoreError:
            return None
        stored = [(key, packed) for key, packed in stored if key != without]
        if not stored:
            return None
        if likeness.size + sum(len(packed) for _, packed in stored) <= COMPARED_INLINE:
            return _compare(likeness, stored)
        return await asyncio.to_thread(_compare, likeness, stored)

    async def explain(
        self,
        key: str,
        about: About,
        why: str,
        likeness: Likeness,
        among: int,
        *,
        lately: bool = False,
    ) -> Near | None:
        """As `nearest`, of a call that is a miss, which is remembered. `why` is the word for it."""
        # the upstream may be faster than the disk: then its answer to this very call is there
        near = await self.nearest(likeness, among, without="" if why in FOUND else key, lately=lately)
        self.misses.note(time.time(), key, about.host, about.model, why, near)
        return near

    async def statistics(self) -> dict[str, object]:
        """The tally, and the entries and bytes stored, all of it counting what has been accepted so far."""
        await self.keeper.drain(SETTLE)
        await self.misses.flush(SETTLE)
        stored = await self.stores.statistics()
        return {**self._tally.as_json(), **stored, "suspects": self.misses.suspects.as_json()}

    def _open(self, settings: Settings) -> None:
        self.stores = Stores(settings)
        self.stores.secret = self._secret or self.stores.secret
        self.tiers = self.stores.tiers
        self.misses.disk = self.stores.disk
        self._finder = Finder(self.tiers, self._tally, self.stores.purger.valid)
        stage = self.stores.disk.stage if self.stores.disk else None
        self.keeper = Keeper(self.tiers, self._tally, self.budget, settings.max_body, stage)

    async def _close(self) -> None:
        await self.keeper.close(CLOSE)
        await self.misses.flush(SETTLE)
        await self.stores.close(CLOSE)


def _compare(likeness: Likeness, stored: list[tuple[str, bytes]]) -> Near | None:
    return shape.nearest(likeness.shape, [(key, _unpacked(packed)) for key, packed in stored])


@lru_cache(UNPACKED)
def _unpacked(packed: bytes) -> shape.Shape:
    """The same few are compared with again and again."""
    return shape.unpack(packed)
