"""The finished calls, without bodies, kept in the local store so that they outlast the proxy.

Any number of processes may use one folder. Calls are kept for as long as is asked for, and at most the last
100,000; what they come to by the hour is kept for 400 days, so that sums stay right when calls are dropped.
"""

import asyncio
import logging
import math
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

from mitmcache.batches import Batches
from mitmcache.journal import history_sums
from mitmcache.journal.event import Event
from mitmcache.journal.history_rows import BOUNDS, commons, keep
from mitmcache.journal.history_sums import EVERY, Filter, Histogram, Kept, Kind, Summed
from mitmcache.journal.history_tables import open_history, read_history
from mitmcache.journal.history_upkeep import MAX_CALLS, drop, drop_hours, shrink
from mitmcache.journal.ledgers import DAY, By
from mitmcache.store.base import StoreError
from mitmcache.store.schema import cause, transaction
from mitmcache.store.workers import Busy, Workers

__all__ = ["BOUNDS", "EVERY", "Filter", "Histogram", "History", "Kept", "Kind", "Summed"]

logger = logging.getLogger(__name__)

PACE = 1.0
"""Seconds between two writes."""
MAX_WAITING = 8192
ROLLED = 400 * DAY
UPKEEP = 60.0
"""Seconds between two looks at the sums of the hours."""
RETRY = 30.0
"""Seconds until a database that failed is tried again."""
READ = 5.0
SOON = 2.0
"""Seconds that a reader waits for what was noted to be written."""
MOST = 1000
"""Calls of one page."""


class History:
    """The calls kept in `folder`. On one event loop.

    Writes never fail a call: what cannot be written is forgotten, and said once in the log. Reads raise
    StoreError, within a few seconds, and count what was noted before.
    """

    def __init__(
        self, folder: Path, kept: float, *, now: Callable[[], float] = time.time, most: int = MAX_CALLS
    ) -> None:
        """`kept`: for how many seconds a call is kept; 0 keeps none, and leaves those that there are."""
        self.kept = kept
        self.lost = 0
        """Calls that were not written."""
        self._folder = folder
        self._now = now
        self._most = most
        self._batches = Batches(self._put, PACE)
        self._writer = Workers(1, "mitmcache-history")
        self._reader = Workers(1, "mitmcache-history-reader")
        self._db: sqlite3.Connection | None = None
        self._commons = commons()
        self._retry = -math.inf
        self._looked = -math.inf
        self._warned = False
        self._closed = False

    def note(self, events: Sequence[Event]) -> None:
        """Takes finished calls, to be written soon. Returns at once."""
        if not self.kept or self._closed:
            return
        waiting = self._batches.waiting
        room = MAX_WAITING - len(waiting)
        waiting += events[:room]
        self.lost += max(0, len(events) - room)
        self._batches.begin()

    async def recent(self, limit: int = 100, before: int | None = None, filter: Filter = EVERY) -> list[Kept]:
        """The latest first, at most 1000; `before`: only those whose number is smaller, for the next page."""
        job = partial(history_sums.recent, limit=min(limit, MOST), before=before, chosen=filter)
        return await self._read(job, [])

    async def call(self, id: str) -> Event | None:
        """The latest one of this flow id; None: it is not kept (any more)."""
        return await self._read(partial(history_sums.call, id=id), None)

    async def sums(
        self,
        since: float,
        until: float,
        by: By | None = None,
        bucket: int = 0,
        filter: Filter = EVERY,
    ) -> list[Summed]:
        """What the calls that began from `since` to before `until` come to, ordered by bucket and group.

        `bucket`: seconds (60, 3600, 86400...; 0: one for all, whose `at` is `since`); the group is "" without
        `by`, and that of a day or hour its first Unix second. Empty buckets are left out. Buckets that are no
        whole hours see only the calls that are still kept one by one; otherwise all of the last 400 days are
        counted, an hour that `since` or `until` cuts as a whole where its calls are gone. ValueError:
        `filter.word`, which the sums do not know.
        """
        if filter.word is not None:
            raise ValueError("sums are not kept by verdict")
        job = partial(history_sums.sums, since=since, until=until, by=by, bucket=bucket, chosen=filter)
        return await self._read(job, [])

    async def latencies(self, since: float, until: float) -> dict[Kind, Histogram]:
        """How long whole answers took, from the request's first byte to the answer's last: those from the
        cache (`hit`), and those from upstream (`miss`, bypasses among them). In whole hours."""
        empty = Histogram((0,) * (len(BOUNDS) + 1))
        job = partial(history_sums.latencies, since=since, until=until)
        return await self._read(job, {"hit": empty, "miss": empty})

    async def flush(self, deadline: float) -> None:
        """Waits until what was noted is written or given up, at most `deadline` seconds."""
        await self._batches.flush(deadline)

    async def close(self, deadline: float) -> None:
        """Writes what was noted, at most `deadline` seconds. Keeps nothing after it."""
        self._closed = True
        clock = asyncio.get_running_loop().time
        end = clock() + deadline
        await self.flush(deadline)
        if self._db:
            with suppress(Busy, TimeoutError, sqlite3.Error):
                async with asyncio.timeout(max(0.0, end - clock())):
                    await self._writer.run(self._db.close, patience=0)
        for workers in (self._reader, self._writer):
            await workers.close(max(0.0, end - clock()))

    async def _read[T](self, job: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        await self.flush(SOON)
        try:
            async with asyncio.timeout(READ):
                return await self._reader.run(partial(self._ask, job, nothing), patience=READ)
        except (sqlite3.Error, OSError, TimeoutError, Busy) as error:
            raise StoreError(f"reading the history in {self._folder} fails: {cause(error)}") from None

    def _ask[T](self, job: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        """Runs in a thread."""
        db = read_history(self._folder)
        if db is None:
            return nothing
        with closing(db):
            return job(db)

    async def _put(self, batch: list[Event]) -> None:
        clock = asyncio.get_running_loop().time
        if clock() < self._retry:
            self.lost += len(batch)
            return
        try:
            await self._writer.run(partial(self._store, batch))
        except Exception as error:
            # open: calls go on, and are not remembered
            self.lost += len(batch)
            self._retry = clock() + RETRY
            if not self._warned:
                said = str(error) if isinstance(error, StoreError) else cause(error)
                logger.warning("mitmcache: finished calls are not kept in %s: %s", self._folder, said)
            self._warned = True
        else:
            self._warned = False

    def _store(self, batch: list[Event]) -> None:
        """Runs in the writer's thread."""
        if self._db is None:
            self._db = open_history(self._folder)
        now = self._now()
        try:
            with transaction(self._db):
                keep(self._db, batch, self._commons)
                if kept := self.kept:  # else it was switched off meanwhile
                    drop(self._db, now - kept, self._most)
                if abs(now - self._looked) >= UPKEEP:
                    drop_hours(self._db, now - ROLLED)
                    self._looked = now
            shrink(self._db)
        except BaseException:
            db, self._db = self._db, None
            with suppress(sqlite3.Error):
                db.close()
            raise
