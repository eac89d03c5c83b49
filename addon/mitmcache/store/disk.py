"""The second tier: SQLite for the rows and small values, files for the large ones, kept across restarts.

Any number of processes may use one folder. A process may be killed at any time: what it had not yet
written is lost, and what it leaves is whole or reads as a miss.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mitmcache.store import rows, schema
from mitmcache.store.base import Entry, StoreError
from mitmcache.store.blobs import Blobs
from mitmcache.store.pending import Pending
from mitmcache.store.readers import Readers
from mitmcache.store.writer import Writer

logger = logging.getLogger(__name__)

QUEUE_BYTES = 64 * 1024 * 1024
QUEUE_ENTRIES = 10_000
LARGEST_SHARE = 4
NEAREST_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class DiskStats:
    """`entries` and `bytes` are those of the folder, `bytes` with an estimate of what the rows take.

    `queue_full` and `write_failed` count what this process has dropped since it began.
    """

    entries: int
    bytes: int
    queue_full: int
    write_failed: int


class DiskStore:
    """A Store under `folder`, of about `max_bytes` on disk. `now` gives Unix time.

    `open` comes first, from any thread; all else belongs to one event loop. An entry that would take more
    than a quarter of `max_bytes` is not kept.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        *,
        now: Callable[[], float],
        queue_bytes: int = QUEUE_BYTES,
        queue_entries: int = QUEUE_ENTRIES,
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._now = now
        self._blobs = Blobs(folder)
        self._pending = Pending(queue_bytes, queue_entries)
        self._writer: Writer | None = None
        self._readers: Readers | None = None
        self._secret = b""
        self._queue_full = 0
        self._closed = False

    def open(self) -> None:
        """Blocks: for the start, before anything is served.

        Raises StoreError, which names the folder and the cause: the folder cannot be written, or its
        database is of a newer version. A corrupt database is set aside and an empty one begun.
        """
        try:
            db, self._secret = schema.open_database(self._folder)
            try:
                self._blobs.create()
                self._writer = Writer(self._folder, db, self._pending, self._max_bytes, self._now)
            except BaseException:
                db.close()
                raise
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"cannot open the cache in {self._folder}: {schema.cause(error)}") from error
        self._readers = Readers(self._folder)
        self._writer.start()

    @property
    def secret(self) -> bytes:
        """32 random bytes, made when the database was: the same for all who use the folder."""
        return self._secret

    async def get(self, key: str) -> bytes | None:
        """Sets no deadline of its own: see Tiers."""
        if change := self._pending.find(key):
            return change.entry.blob if change.entry else None
        blob = await self._reading().run(partial(self._read, key))
        if blob is not None:
            self.touch(key)
        return blob

    def put(self, entry: Entry) -> bool:
        """False also for an entry that is too large to keep."""
        if (len(entry.blob) + len(entry.shape) + schema.ROW_OVERHEAD) * LARGEST_SHARE > self._max_bytes:
            return False
        if self._writer and self._pending.add(entry.key, entry, self._now()):
            return True
        self._queue_full += 1
        return False

    async def delete(self, key: str) -> None:
        """Gone for `get` at once, and from the disk with the next batch. StoreError: there is no room even
        for this, or the store is closed."""
        if not (self._writer and self._pending.add(key, None, self._now())):
            raise StoreError(f"the queue of the cache in {self._folder} is full or closed")

    def touch(self, key: str) -> None:
        """The key was used, wherever it was found. For a faster tier, whose hits never come here."""
        self._pending.touch(key, self._now())

    async def nearest(self, group: str, limit: int = 64) -> list[bytes]:
        """The shapes of the group's entries, the most recently used first; StoreError after half a second."""
        changes = self._pending.changes()
        latest = [change.entry for change in reversed(changes.values()) if change.entry]
        shapes = [entry.shape for entry in latest if entry.group == group and entry.shape][:limit]
        if len(shapes) == limit:
            return shapes
        job = partial(rows.shapes, group=group, limit=limit)
        try:
            async with asyncio.timeout(NEAREST_SECONDS):
                written = await self._reading().run(job)
        except TimeoutError:
            raise StoreError(f"the cache in {self._folder} is slow") from None
        shapes += [shape for key, shape in written if key not in changes]
        return shapes[:limit]

    async def flush(self, deadline: float) -> bool:
        """Waits until all that is queued now is written or given up. False: it was not within `deadline`
        seconds, or the store is closed."""
        if self._writer is None or self._closed:
            return False
        try:
            await asyncio.wait_for(asyncio.wrap_future(self._pending.flush()), deadline)
        except TimeoutError:
            return False
        return True

    async def stats(self) -> DiskStats:
        """Touches no disk: the figures are of the last batch, or half a minute old; exact after `flush`."""
        totals = self._writer.totals if self._writer else rows.Totals(0, 0)
        failed = self._writer.write_failed if self._writer else 0
        return DiskStats(totals.entries, totals.bytes, self._queue_full, failed)

    async def close(self, deadline: float) -> None:
        """The readers first: the last connection to close folds the WAL into the database, and a reader's
        cannot."""
        if self._writer is None or self._readers is None:
            return
        self._closed = True
        clock = asyncio.get_running_loop().time
        end = clock() + deadline
        await self._readers.close(deadline / 2)
        self._pending.close()
        if not await self._writer.ended(end - clock()):
            logger.warning("the cache in %s: not all was written in time", self._folder)

    def _reading(self) -> Readers:
        if self._readers is None:
            raise StoreError("the store is not open")
        return self._readers

    def _read(self, key: str, db: sqlite3.Connection) -> bytes | None:
        """Runs in a reader's thread. Looks twice at a file that is not what its row says: it may just have
        been replaced."""
        for _ in range(2):
            row = rows.find(db, key)
            if row is None:
                return None
            size, blob = row
            if blob is None:
                blob = self._blobs.read(key, size)
            if blob is not None:
                return blob
        return None
