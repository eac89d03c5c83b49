"""Opens the store at the start and closes it at the end."""

import asyncio
import logging
import secrets
import time
from contextlib import suppress
from typing import NamedTuple

from mitmproxy import exceptions

from mitmcache.addons.options import Options
from mitmcache.addons.threads import run_for
from mitmcache.cache import record, shape
from mitmcache.cache.body import Body
from mitmcache.cache.key import Ingredients, group
from mitmcache.cache.record import Record
from mitmcache.cache.tap import Budget
from mitmcache.keeper import Keeper
from mitmcache.settings import Settings
from mitmcache.store.base import StoreError
from mitmcache.store.disk import DiskStore
from mitmcache.store.memory import MemoryStore
from mitmcache.store.tiers import Tiers
from mitmcache.tally import Tally

logger = logging.getLogger(__name__)

IN_FLIGHT = 256 << 20
"""Bytes of streams being heard and of replies not yet stored, all together."""
SETTLE = 1.0
"""Seconds that a caller waits for the very answer that has just gone by."""
CLOSE = 5.0
"""Seconds for writing what is queued at the end."""
COMPARED_INLINE = 16 * 1024
"""A larger request, or shapes of more bytes, are compared in a thread: it takes longer than parsing."""


class Found(NamedTuple):
    record: Record
    tier: str


class Storage:
    """The store's tiers, and the keeper that fills them. They are there from the first `configure` on."""

    tiers: Tiers
    keeper: Keeper

    def __init__(self, options: Options, tally: Tally) -> None:
        self._options = options
        self._tally = tally
        self._opened: Settings | None = None
        self._disk: DiskStore | None = None
        self._secret = secrets.token_bytes(32)
        self.budget = Budget(IN_FLIGHT)

    def configure(self, updated: set[str]) -> None:
        settings = self._options.current
        if self._opened is None:
            self._open(settings)
            self._opened = settings
            return
        for name in ("data_dir", "max_body", "memory", "disk"):
            if getattr(settings, name) != getattr(self._opened, name):
                raise exceptions.OptionsError(f"llm_{name}: is read at the start; restart to change it")

    def done(self) -> "asyncio.Task[None] | None":
        # a plain function that returns a task: mitmproxy awaits it, and on a hot reload may call it too
        return asyncio.create_task(self._close()) if self._opened else None

    async def find(self, key: str) -> Found | None:
        """The record under a key, wherever it is, fresh or not. A damaged one is counted and removed."""
        await self.keeper.settled(key, SETTLE)
        found = await self.tiers.find(key)
        if found is None:
            return None
        try:
            return Found(await run_for(len(found.blob), record.decode, found.blob, key), found.tier)
        except record.Corrupt as error:
            self._tally.corrupt += 1
            logger.warning("mitmcache: a damaged record was removed: %s", error)
            with suppress(StoreError):
                await self.tiers.delete(key)
        except record.ForeignVersion:
            pass
        return None

    async def differs(self, parts: Ingredients, body: Body, among: int) -> list[str] | None:
        """The places in which the most alike stored request differs; None: there is none to compare with.

        It is looked for `among` so many, those used last.
        """
        if self._disk is None:
            return None
        try:
            stored = await self._disk.nearest(group(parts), among)
        except StoreError:
            return None
        if not stored:
            return None
        if len(body.canonical) + sum(map(len, stored)) <= COMPARED_INLINE:
            return self._compare(parts, body, stored)
        return await asyncio.to_thread(self._compare, parts, body, stored)

    def _compare(self, parts: Ingredients, body: Body, stored: list[bytes]) -> list[str] | None:
        mine = shape.shape(parts, body, self._secret)
        return shape.nearest(mine, [shape.unpack(data) for data in stored])

    async def statistics(self) -> dict[str, object]:
        """The tally, and the entries and bytes stored, all of it counting what has been accepted so far."""
        await self.keeper.drain(SETTLE)
        counted = self._tally.as_json()
        if self._disk is None:
            return {**counted, "entries": len(self.tiers.memory), "bytes": self.tiers.memory.bytes}
        await self._disk.flush(SETTLE)
        disk = await self._disk.stats()
        return {
            **counted,
            "entries": disk.entries,
            "bytes": disk.bytes,
            "lookup_failed": self.tiers.lookup_failed,
            "lookup_timeout": self.tiers.lookup_timeout,
            "queue_full": disk.queue_full,
            "write_failed": disk.write_failed,
        }

    def _open(self, settings: Settings) -> None:
        disk = DiskStore(settings.data_dir, settings.disk, now=time.time)
        try:
            disk.open()
        except StoreError as error:
            # open: without its disk the cache is a smaller cache, not a broken proxy
            logger.warning("mitmcache: answers are kept in memory alone: %s", error)
        else:
            self._disk = disk
            self._secret = disk.secret
        self.tiers = Tiers(MemoryStore(settings.memory), self._disk)
        self.keeper = Keeper(self.tiers, self._tally, self.budget, settings.max_body, self._secret)

    async def _close(self) -> None:
        await self.keeper.close(CLOSE)
        await self.tiers.close(CLOSE)
