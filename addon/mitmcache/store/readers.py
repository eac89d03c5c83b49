"""Reads off the loop: two threads, each with a read-only connection of its own."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mitmcache.store import rows
from mitmcache.store.base import Blob, Large, StoreError
from mitmcache.store.blobs import Blobs, load
from mitmcache.store.pending import Change
from mitmcache.store.schema import cause, connect, is_corrupt, note_damage

LOOKS = 3
THREADS = 2
MAX_WAITING = 1024


class Readers:
    """`run` and `close` belong to the event loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="mitmcache-reader")
        self._idle: list[sqlite3.Connection] = []
        self._running: set[asyncio.Future[None]] = set()
        self._closed = False

    async def run[T](self, job: Callable[[sqlite3.Connection], T]) -> T:
        """What the job returns. StoreError: it failed, or too many wait.

        A caller who gives up leaves the read to end by itself: a pool cannot be told to stop, and a
        disk that hangs must not gather reads without bound.
        """
        if self._closed:
            raise StoreError("the store is closed")
        if len(self._running) >= MAX_WAITING:
            raise StoreError("too many reads are waiting for the disk")
        outcome: list[T | StoreError] = []
        future = asyncio.wrap_future(self._pool.submit(self._read, job, outcome))
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(lambda _: _let_go(outcome))
            raise
        if isinstance(outcome[0], StoreError):
            raise outcome[0]
        return outcome[0]

    async def close(self, deadline: float) -> None:
        self._closed = True
        self._pool.shutdown(wait=False)
        if self._running:
            await asyncio.wait(self._running, timeout=deadline)
        while self._idle:
            self._idle.pop().close()

    def _read[T](self, job: Callable[[sqlite3.Connection], T], outcome: list[T | StoreError]) -> None:
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
