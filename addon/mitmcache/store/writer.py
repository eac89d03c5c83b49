"""The one thread of a process that writes: batches first, errands and upkeep between them. It outlives
every error."""

import asyncio
import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from mitmcache.store import rows
from mitmcache.store.absent import Absent
from mitmcache.store.commit import Committer, Done
from mitmcache.store.errands import Errands
from mitmcache.store.pending import Change, Pending
from mitmcache.store.schema import cause, is_busy, is_corrupt, note_damage
from mitmcache.store.upkeep import Upkeep

logger = logging.getLogger(__name__)

IDLE_SECONDS = 30.0
EPISODE_SECONDS = 60.0


class Writer:
    """Owns `db` from `start` on, and closes it when `pending` is closed and empty.

    `on_dirty` is called in its thread whenever rows that are to be uploaded have been committed.
    """

    def __init__(
        self,
        folder: Path,
        db: sqlite3.Connection,
        pending: Pending,
        errands: Errands,
        committer: Committer,
        upkeep: Upkeep,
        absent: Absent,
    ) -> None:
        self.totals = rows.totals(db)
        self.spooled = rows.spooled(db)
        self.stored = 0
        self.spool_full = 0
        self.write_failed = 0
        self.on_dirty: Callable[[], None] | None = None
        self._folder = folder
        self._db = db
        self._pending = pending
        self._errands = errands
        self._committer = committer
        self._upkeep = upkeep
        self._absent = absent
        self._episodes: dict[str, float] = {}
        self._ended: Future[None] = Future()
        # a daemon: a disk that hangs must not keep the proxy from ending
        self._thread = threading.Thread(target=self._run, name="mitmcache-writer", daemon=True)

    @property
    def evicted(self) -> int:
        return self._upkeep.evicted

    @property
    def failing(self) -> bool:
        """An episode of batches that could not be written has begun, and has not ended."""
        return "writing" in self._episodes

    def start(self) -> None:
        self._errands.open()
        self._thread.start()

    async def ended(self, deadline: float) -> bool:
        """Waits for the thread's end, at most `deadline` seconds."""
        try:
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._ended)), deadline)
        except TimeoutError:
            return False
        return True

    def _run(self) -> None:
        idle = 0.0
        try:
            last = False
            while not last:
                last = self._pending.finished  # one whole cycle after the closing: it notes the last uses
                batch = self._pending.take(idle)
                if batch:
                    self._write(batch)
                self._pending.done()
                self._run_errands()
                idle = 0.0 if self._keep_up() else IDLE_SECONDS
                idle = min(idle, self._absent.step(self._db))
                self._pending.settle()
        finally:
            self._errands.close()
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._ended.set_result(None)

    def _write(self, batch: list[Change]) -> None:
        """All of it or, where that fails, whatever can be written one by one."""
        try:
            done = self._committer.commit(batch)
        except Exception:  # whatever it is, the thread goes on
            self._write_singly(batch)
        else:
            self._went_well("writing")
            self._count(done)

    def _write_singly(self, batch: list[Change]) -> None:
        lost: list[Change] = []
        last: Exception | None = None
        for position, change in enumerate(batch):
            try:
                done = self._committer.commit([change])
            except Exception as error:
                last = error
                if is_busy(error):  # each further one would wait as long
                    lost += batch[position:]
                    break
                lost.append(change)
            else:
                self._count(done)
        for change in lost:
            self._committer.give_up(change)
        self.write_failed += len(lost)
        if last:
            self._went_wrong("writing", last)
        else:
            self._went_well("writing")

    def _count(self, done: Done) -> None:
        self.stored += done.stored
        self.spool_full += done.spool_full
        if done.dirty and self.on_dirty:
            try:
                self.on_dirty()
            except Exception as error:  # another's mistake must not end this thread
                self._went_wrong("telling of what is to be uploaded", error)

    def _run_errands(self) -> None:
        try:
            self._errands.step(self._db)
        except Exception as error:
            self._went_wrong("noting uploads", error)
        else:
            self._went_well("noting uploads")

    def _keep_up(self) -> bool:
        try:
            more = self._upkeep.step()
            self.totals = rows.totals(self._db)
            self.spooled = rows.spooled(self._db)
        except Exception as error:
            self._went_wrong("upkeep", error)
            return False
        self._went_well("upkeep")
        return more

    def _went_wrong(self, task: str, error: Exception) -> None:
        """Warns once per episode. Never louder: mitmproxy gives up on an error logged at its start."""
        if is_corrupt(error):
            note_damage(self._folder)
        if task not in self._episodes:
            self._episodes[task] = time.monotonic()
            logger.warning("the cache in %s: %s fails: %s", self._folder, task, cause(error))

    def _went_well(self, task: str) -> None:
        """Ends an episode that is not quite new: a nearly full disk fails and works by turns."""
        begun = self._episodes.get(task)
        if begun is not None and time.monotonic() - begun >= EPISODE_SECONDS:
            del self._episodes[task]
