"""Copies to the bucket what the disk holds for it, the oldest first, until the bucket has confirmed it.

Nothing is lost: a row stays dirty until then, over failures, restarts and kills. An upload may be done
twice; the bucket then has the same record again.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import Protocol

from mitmcache.selection import About
from mitmcache.store.base import Blob, Entry, Large, StoreError
from mitmcache.store.ledger import Due
from mitmcache.store.pace import Chance, Clock, Holds, Pace
from mitmcache.store.rows import DiskStats

logger = logging.getLogger(__name__)

TICK = 5.0
"""Seconds until the rows of other processes are found, which cannot wake us, and the lock is tried again."""
READ_SECONDS = 10.0
POLL = 0.05
SHORTEST_WAIT = 0.01
OF_THE_KEY = frozenset({"throttled", "conflict"})


class Disk(Protocol):
    """See DiskStore. Between `start` and `close`, `on_dirty` is ours."""

    on_dirty: Callable[[], None] | None

    async def due(self, limit: int, skip: Collection[str]) -> Sequence[Due]: ...
    async def get(self, key: str) -> Blob | None: ...
    async def stats(self) -> DiskStats: ...
    def uploaded(self, key: str, version: int) -> None: ...


class Bucket(Protocol):
    async def put(self, entry: Entry) -> None:
        """Returns when the bucket has confirmed it. Raises StoreError, with its `kind` where it has one."""


class Lock(Protocol):
    async def take(self) -> bool: ...
    def release(self) -> None: ...


class Uploads:
    """On the event loop. Of all processes with the same `lock` one uploads, and the others wait for it.

    What is not `valid` any more, has expired or is gone from the disk is passed over. `now` gives Unix time,
    `clock` seconds of any origin. Four uploads run at once, each of at most `LARGE` bytes of memory.
    """

    def __init__(
        self,
        disk: Disk,
        bucket: Bucket,
        lock: Lock,
        *,
        valid: Callable[[str, About], bool],
        now: Clock = time.time,
        clock: Clock = time.monotonic,
        chance: Chance = random.random,
    ) -> None:
        self._disk = disk
        self._bucket = bucket
        self._lock = lock
        self._now = now
        self._valid = valid
        self._clock = clock
        self._pace = Pace(clock, chance)
        self._holds = Holds(clock)
        self._news = asyncio.Event()
        self._ended = asyncio.Event()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._mine: bool | None = None
        self._stop = asyncio.Event()
        self._told = False
        self._counts = {"uploaded": 0, "failed": 0, "skipped": 0}

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._main = self._loop.create_task(self._run())
        self._disk.on_dirty = self.wake

    def wake(self) -> None:
        """There is something new to upload. From any thread, at any time."""
        with suppress(RuntimeError):  # the loop has ended
            if self._loop:
                self._loop.call_soon_threadsafe(self._news.set)

    def statistics(self) -> dict[str, int | bool]:
        """`failed` counts attempts; `skipped` rows that needed no upload."""
        return {**self._counts, "paused": self._pace.paused}

    async def flush(self, deadline: float) -> bool:
        """Waits until no row waits, whichever process uploads them; False: some still do after so long."""
        return await self._until(self._all_done, deadline)

    async def close(self, deadline: float) -> None:
        """Uploads on for at most `deadline` seconds, unless the bucket fails or another process uploads; the
        next start does the rest."""
        if self._main:
            await self._until(self._enough, deadline)
        self._disk.on_dirty = None
        self._stop.set()
        self._news.set()
        for task in self._running.values():
            task.cancel()
        if tasks := {*self._running.values(), *([self._main] if self._main else [])}:
            await asyncio.wait(tasks, timeout=max(deadline, POLL))
        self._lock.release()

    async def _until(self, done: Callable[[], Awaitable[bool]], deadline: float) -> bool:
        """Looks whenever an upload has ended, and now and then, since other processes upload too."""
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline):
                while not await done():
                    self._ended.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(POLL):
                            await self._ended.wait()
                return True
        return False

    async def _all_done(self) -> bool:
        if self._running:
            return False
        try:
            return not await self._disk.due(1, ())
        except StoreError:
            return False

    async def _enough(self) -> bool:
        return not self._running and (self._mine is False or self._pace.paused or await self._all_done())

    async def _run(self) -> None:
        while not self._stop.is_set():
            at = self._clock()
            try:
                self._mine = await self._lock.take()
                if self._mine:
                    self._begin(await self._choose())
            except Exception as error:  # whatever it is, this task goes on
                await self._went_wrong(error)
            await self._wait(at)

    async def _wait(self, since: float) -> None:
        """For news, or until there is something to try without any. `since`: when there was nothing."""
        ends = [since + TICK, self._pace.until, self._holds.next_end(since)]
        next_end = min(end for end in ends if end is not None and end > since)
        # not ours: what is new is no news, and the lock is tried now and then
        event = self._news if self._mine else self._stop
        with suppress(TimeoutError):
            async with asyncio.timeout(max(SHORTEST_WAIT, next_end - self._clock())):
                await event.wait()
        self._news.clear()

    async def _choose(self) -> Sequence[Due]:
        room = self._pace.room(len(self._running))
        if room <= 0:
            return ()
        skip = self._running.keys() | self._holds.held()
        last = self._holds.last()
        rows = await self._disk.due(room, skip | last)
        if not rows and last:
            rows = await self._disk.due(room, skip)
        if not (rows or self._running or self._holds.held() or self._pace.paused):
            self._tell_well()
        return rows

    def _begin(self, rows: Sequence[Due]) -> None:
        for row in rows:
            if not self._stop.is_set():
                self._running[row.key] = asyncio.create_task(self._upload(row))

    async def _upload(self, row: Due) -> None:
        await asyncio.sleep(0)  # where tasks start eagerly: this one must be in the table first
        try:
            sent = await self._send(row)
            self._disk.uploaded(row.key, row.version)
        except Exception as error:  # whatever it is, the others go on
            self._counts["failed"] += 1
            await self._went_wrong(error, row.key)
        else:
            self._went_well(row.key, sent)
        finally:
            del self._running[row.key]
            self._ended.set()
            self._news.set()

    async def _send(self, row: Due) -> bool:
        """False: it needs no upload."""
        if 0 < row.expires <= self._now() or not self._valid(row.key, row.about):
            return False
        try:
            async with asyncio.timeout(READ_SECONDS):
                blob = await self._disk.get(row.key)
        except TimeoutError:
            raise StoreError("this disk is slow") from None
        if blob is None:
            return False
        try:
            # a bucket takes an open file too
            await self._bucket.put(Entry(row.key, blob, row.expires, about=row.about))  # type: ignore[arg-type]
        finally:
            if isinstance(blob, Large):
                blob.file.close()
        return True

    def _went_well(self, key: str, sent: bool) -> None:
        if not sent:
            self._counts["skipped"] += 1
            return
        self._counts["uploaded"] += 1
        self._holds.worked(key)
        paused = self._pace.paused
        self._pace.worked()
        if paused and not self._pace.paused:
            self._holds.resumed()
        if self._pace.well:
            self._tell_well()

    async def _went_wrong(self, error: Exception, key: str = "") -> None:
        if key:
            of_the_key = getattr(error, "kind", "") in OF_THE_KEY
            held = self._holds.hold(key) if of_the_key else self._holds.suspect(key)
            if held and not self._pace.paused:
                return
        self._pace.failed()
        if not self._told:
            self._told = True
            known = isinstance(error, StoreError)
            cause = str(error) if known else type(error).__name__
            count = (await self._disk.stats()).dirty_ours
            text = "mitmcache: uploads to the bucket pause: %s; %d answers wait on this disk"
            logger.warning(text, cause, count, exc_info=error if not known else None)

    def _tell_well(self) -> None:
        if self._told:
            self._told = False
            logger.warning("mitmcache: uploads to the bucket go on")
