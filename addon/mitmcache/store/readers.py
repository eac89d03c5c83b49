"""Reads off the loop: two threads, each with a read-only connection of its own."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

from mitmcache.store import rows
from mitmcache.store.base import Blob, Large, StoreError
from mitmcache.store.blobs import Blobs, load
from mitmcache.store.pending import Change
from mitmcache.store.schema import cause, connect, is_corrupt, note_damage

LOOKS = 3
THREADS = 2
MAX_WAITING = 1024


@dataclass(slots=True, eq=False)
class _Reading:
    """A job on its way. `outcome` gets what it returned, or why it failed."""

    job: Callable[[sqlite3.Connection], object]
    loop: asyncio.AbstractEventLoop
    ended: asyncio.Future[None]
    outcome: list[object] = field(default_factory=list)


class Readers:
    """`run` and `close` belong to the event loop.

    The threads have a plain queue: with an executor and its futures a read costs twice as much.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._queue: SimpleQueue[_Reading | None] = SimpleQueue()
        self._threads = 0
        self._idle: list[sqlite3.Connection] = []
        self._running: set[_Reading] = set()
        self._all_ended: asyncio.Future[None] | None = None
        self._closed = False

    async def run[T](self, job: Callable[[sqlite3.Connection], T]) -> T:
        """What the job returns. StoreError: it failed, or too many wait.

        A caller who gives up leaves the read to end by itself: a thread cannot be told to stop, and a
        disk that hangs must not gather reads without bound.
        """
        if self._closed:
            raise StoreError("the store is closed")
        if len(self._running) >= MAX_WAITING:
            raise StoreError("too many reads are waiting for the disk")
        loop = asyncio.get_running_loop()
        reading = _Reading(job, loop, loop.create_future())
        if self._threads < min(THREADS, len(self._running) + 1):
            self._start()
        self._running.add(reading)
        self._queue.put(reading)
        try:
            await reading.ended
        except asyncio.CancelledError:
            if reading not in self._running:  # it ended in the meantime
                _let_go(reading.outcome)
            raise
        [outcome] = reading.outcome
        if isinstance(outcome, StoreError):
            raise outcome
        return outcome  # type: ignore[return-value]

    async def close(self, deadline: float) -> None:
        """What is queued is still read, and whoever waits for it gets it."""
        if not self._closed:
            self._closed = True
            for _ in range(self._threads):
                self._queue.put(None)
        if self._running:
            self._all_ended = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._all_ended], timeout=deadline)
        while self._idle:
            self._idle.pop().close()

    @property
    def busy(self) -> bool:
        """A read has not ended yet, in `close` or after it."""
        return bool(self._running)

    def _start(self) -> None:
        # daemons: a disk that hangs must not keep the proxy from ending
        thread = threading.Thread(target=self._work, name=f"mitmcache-reader_{self._threads}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            if not self._threads:
                raise StoreError(f"the cache in {self._folder} cannot be read: {error}") from None
        else:
            self._threads += 1

    def _end(self, reading: _Reading) -> None:
        self._running.discard(reading)
        if reading.ended.done():  # its caller has gone
            _let_go(reading.outcome)
        else:
            reading.ended.set_result(None)
        if not self._running and self._all_ended and not self._all_ended.done():
            self._all_ended.set_result(None)

    def _work(self) -> None:
        while reading := self._queue.get():
            self._read(reading.job, reading.outcome)
            try:
                reading.loop.call_soon_threadsafe(self._end, reading)
            except RuntimeError:  # the loop is closed
                _let_go(reading.outcome)

    def _read(self, job: Callable[[sqlite3.Connection], object], outcome: list[object]) -> None:
        """Runs in a thread. Raises nothing: there may be nobody left to hear it."""
        db = None
        try:
            db = self._connection()
            outcome.append(job(db))
        except Exception as error:
            if is_corrupt(error):
                note_damage(self._folder)
            outcome.append(StoreError(f"reading the cache in {self._folder} fails: {cause(error)}"))
            if db:
                with contextlib.suppress(sqlite3.Error):
                    db.close()
        else:
            self._give_back(db)

    def _connection(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return connect(self._folder, read_only=True)

    def _give_back(self, db: sqlite3.Connection) -> None:
        if self._closed:
            db.close()
        else:
            self._idle.append(db)


def look(blobs: Blobs, key: str, change: Change | None, db: sqlite3.Connection) -> Blob | None:
    """What is stored under the key, of which `change` is not yet written. Looks again where a file is not
    what its row says: it may just have been replaced. The file of a pending put may meanwhile have got its
    own name."""
    if change and (staged := change.staged):
        blob = load(staged.path, staged.size) or blobs.read(change.file, staged.size)
        if blob is not None:
            return blob
    for _ in range(LOOKS):
        row = rows.find(db, key)
        if row is None or row.blob is not None:
            return row.blob if row else None
        blob = blobs.read(rows.File(key, row.version), row.size)
        if blob is not None:
            return blob
    return None


def _let_go(outcome: Sequence[object]) -> None:
    """Closes the file that nobody waits for any more."""
    for result in outcome:
        if isinstance(result, Large):
            result.file.close()
