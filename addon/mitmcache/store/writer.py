"""The one thread of a process that writes: batches first, upkeep between them. It outlives every error."""

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
from mitmcache.store.blobs import INLINE_BYTES, Blobs
from mitmcache.store.pending import Change, Pending
from mitmcache.store.rows import Totals
from mitmcache.store.schema import cause, is_busy, is_corrupt, note_damage, transaction
from mitmcache.store.upkeep import Upkeep

logger = logging.getLogger(__name__)

IDLE_SECONDS = 30.0
EPISODE_SECONDS = 60.0


class Writer:
    """Owns `db` from `start` on, and closes it when `pending` is closed and empty."""

    def __init__(
        self,
        folder: Path,
        db: sqlite3.Connection,
        pending: Pending,
        max_bytes: int,
        now: Callable[[], float],
    ) -> None:
        self.totals = rows.totals(db)
        self.write_failed = 0
        self._folder = folder
        self._db = db
        self._blobs = Blobs(folder)
        self._pending = pending
        self._upkeep = Upkeep(db, self._blobs, pending, max_bytes, now)
        self._episodes: dict[str, float] = {}
        self._ended: Future[None] = Future()
        # a daemon: a disk that hangs must not keep the proxy from ending
        self._thread = threading.Thread(target=self._run, name="mitmcache-writer", daemon=True)

    def start(self) -> None:
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
                idle = 0.0 if self._keep_up() else IDLE_SECONDS
                self._pending.settle()
        finally:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._ended.set_result(None)

    def _write(self, batch: list[Change]) -> None:
        """All of it or, where that fails, whatever can be written one by one."""
        try:
            self._commit(batch)
        except Exception:  # whatever it is, the thread goes on
            self._write_singly(batch)
        else:
            self._went_well("writing")

    def _write_singly(self, batch: list[Change]) -> None:
        lost = 0
        last: Exception | None = None
        for position, change in enumerate(batch):
            try:
                self._commit([change])
            except Exception as error:
                lost += 1
                last = error
                if is_busy(error):  # each further one would wait as long
                    lost += len(batch) - position - 1
                    break
        self.write_failed += lost
        if last:
            self._went_wrong("writing", last)
        else:
            self._went_well("writing")

    def _commit(self, batch: list[Change]) -> None:
        """Files first, under temporary names; they get their own inside the transaction, so that files
        and rows of one key change in the same order in every process."""
        staged: dict[str, Path] = {}
        placed: list[str] = []
        try:
            for change in batch:
                if change.entry and len(change.entry.blob) > INLINE_BYTES:
                    staged[change.key] = self._blobs.stage(change.entry.blob)
            with transaction(self._db):
                for change in batch:
                    self._apply(change, staged.get(change.key))
                    if change.key in staged:
                        placed.append(change.key)
        except BaseException:
            with contextlib.suppress(OSError):
                for temporary in staged.values():
                    temporary.unlink(missing_ok=True)
                for key in placed:
                    self._blobs.remove(key)
            raise

    def _apply(self, change: Change, temporary: Path | None) -> None:
        had_file = rows.in_file(self._db, change.key)
        if change.entry:
            rows.put(self._db, change.entry, change.at, inline=temporary is None)
        else:
            rows.delete(self._db, change.key)
        if temporary:
            self._blobs.place(temporary, change.key)
        elif had_file:
            self._blobs.remove(change.key)

    def _keep_up(self) -> bool:
        try:
            more = self._upkeep.step()
            self.totals = Totals(*rows.totals(self._db))
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
