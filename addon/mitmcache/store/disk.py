"""The second tier: SQLite for the rows and small values, files for the large ones, kept across restarts.

Any number of processes may use one folder. A process may be killed at any time: what it had not yet
written is lost, and what it leaves is whole or reads as a miss.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

from mitmcache.store import rows, schema
from mitmcache.store.absent import Absent
from mitmcache.store.base import Blob, Entry, Staged, StoreError
from mitmcache.store.blobs import Blobs
from mitmcache.store.commit import Committer
from mitmcache.store.errands import Errands
from mitmcache.store.ledger import SOON_SECONDS, Ledger
from mitmcache.store.pending import Pending
from mitmcache.store.readers import Readers, look
from mitmcache.store.rows import DiskStats, Totals
from mitmcache.store.tables import ROW_OVERHEAD
from mitmcache.store.upkeep import Upkeep
from mitmcache.store.writer import Writer

logger = logging.getLogger(__name__)

SPOOL_BYTES = 1 << 30
SPOOL_SHARE = 2
QUEUE_BYTES = 64 * 1024 * 1024
QUEUE_ENTRIES = 10_000
LARGEST_SHARE = 4
NOTHING = Totals(0, 0)


class DiskStore(Ledger):
    """A Store under `folder`, of about `max_bytes` on disk. `now` gives Unix time.

    `open` comes first, from any thread; all else belongs to one event loop. An entry that would take more
    than a quarter of `max_bytes` is not kept.

    With a `destination`, entries that are no copies are dirty for it until they are said to be `uploaded`,
    and are not evicted before, unless they expire. At most `spool_bytes`, and half of `max_bytes`, are
    dirty at a time; what comes beyond is kept and never uploaded. A copy takes the place of an older record
    alone.

    `on_dirty` may be set before `open`: it is called, in a thread of the store's, whenever there is more to
    upload. It must not block.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        *,
        now: Callable[[], float],
        destination: str = "",
        spool_bytes: int = SPOOL_BYTES,
        queue_bytes: int = QUEUE_BYTES,
        queue_entries: int = QUEUE_ENTRIES,
        on_dirty: Callable[[], None] | None = None,
    ) -> None:
        errands = Errands(lambda: pending.wake())
        pending = Pending(queue_bytes, queue_entries, max_bytes // LARGEST_SHARE, errands.drop)
        super().__init__(folder, Blobs(folder), pending, errands, destination)
        self.on_dirty = on_dirty
        self.max_bytes = max_bytes
        self._spool_bytes = min(spool_bytes, max_bytes // SPOOL_SHARE)
        self._now = now
        self._writer: Writer | None = None
        self._secret = b""
        self._queue_full = 0
        self._absent = Absent(pending.wake)

    def open(self) -> None:
        """Blocks: for the start, before anything is served.

        Raises StoreError, which names the folder and the cause: the folder cannot be written, or its
        database is of a newer version. A corrupt database is set aside and an empty one begun.
        """
        try:
            db, self._secret = schema.open_database(self._folder)
            try:
                self._blobs.create()
                self._writer = self._make_writer(db)
                self._absent.open(db)
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

    def recall_now(self, name: str) -> bytes | None:
        """As `recall`, but blocks: for the start, before anything is served."""
        try:
            with contextlib.closing(schema.connect(self._folder, read_only=True)) as db:
                return rows.recall(db, name)
        except sqlite3.Error as error:
            raise StoreError(f"reading the cache in {self._folder} fails: {schema.cause(error)}") from error

    async def get(self, key: str) -> Blob | None:
        """Sets no deadline of its own: see Tiers."""
        if self.lacks(key):
            return None
        change = self._pending.find(key)
        if change and change.entry is None:
            return None
        if change and change.entry and isinstance(change.entry.blob, bytes):
            return change.entry.blob
        blob = await self._reading().run(partial(look, self._blobs, key, change))
        if blob is not None:
            self.touch(key)
        return blob

    def lacks(self, key: str) -> bool:
        """It is certainly not there: known without the disk, and without waiting. False: `get` will tell."""
        return self._absent.is_absent(key)

    def stage(self) -> Path:
        """A new name for a file that is to become a Staged. Its maker creates it, and removes it if it is
        never put; what a killed process leaves is swept after an hour."""
        return self._blobs.stage()

    def put(self, entry: Entry) -> bool:
        """False also for an entry that is too large to keep. A copy is dropped, which is no failure, where
        there is one as young already, or one that is still to be uploaded."""
        if (len(entry.blob) + len(entry.shape) + ROW_OVERHEAD) * LARGEST_SHARE <= self.max_bytes:
            self._absent.add(entry.key)
            if self._writer and self._pending.add(entry.key, entry, self._now()):
                self._lately.put(entry)
                return True
            self._queue_full += 1
        if isinstance(entry.blob, Staged):
            self._errands.drop(entry.blob.path)
        return False

    async def delete(self, key: str) -> None:
        """Gone for `get` at once, and from the disk with the next batch. StoreError: there is no room even
        for this, or the store is closed."""
        self._lately.clear()
        if not (self._writer and self._pending.add(key, None, self._now())):
            raise StoreError(f"the queue of the cache in {self._folder} is full or closed")

    def touch(self, key: str) -> None:
        """The key was used, wherever it was found. For a faster tier, whose hits never come here."""
        self._pending.touch(key, self._now())

    async def nearest(self, group: str, limit: int = 64, *, lately: bool = False) -> list[tuple[str, bytes]]:
        """Key and shape of the group's entries, the last used first; StoreError after two seconds.

        `lately`: what somebody else has done may be seen a second later.
        """
        if lately and (known := self._lately.get(group, limit)) is not None:
            return known
        number = self._lately.number
        changes = self._pending.changes()
        latest = [change.entry for change in reversed(changes.values()) if change.entry]
        shapes = [(entry.key, entry.shape) for entry in latest if entry.group == group and entry.shape]
        if len(shapes) < limit:
            written = await self._read(partial(rows.shapes, group=group, limit=limit), SOON_SECONDS)
            shapes += [(key, shape) for key, shape in written if key not in changes]
        shapes = shapes[:limit]
        return self._lately.keep(group, limit, shapes, number) if lately else shapes

    @property
    def waiting(self) -> int:
        """Rows that wait for our destination, as of the last batch."""
        spooled = self._writer.spooled if self._writer else {}
        return spooled.get(self._destination, NOTHING).entries

    async def stats(self) -> DiskStats:
        """Touches no disk: the figures are of the last batch, or half a minute old; exact after `flush`."""
        writer = self._writer
        if writer is None:
            return DiskStats(0, 0, self._queue_full, 0)
        ours = writer.spooled.get(self._destination, NOTHING)
        queued, queued_bytes = self._pending.waiting
        return DiskStats(
            *writer.totals,
            queue_full=self._queue_full,
            write_failed=writer.write_failed,
            stored=writer.stored,
            spool_full=writer.spool_full,
            dirty=sum(total.entries for total in writer.spooled.values()),
            dirty_bytes=sum(total.bytes for total in writer.spooled.values()),
            dirty_ours=ours.entries,
            dirty_ours_bytes=ours.bytes,
            evicted=writer.evicted,
            queued=queued,
            queued_bytes=queued_bytes,
            failing=writer.failing,
        )

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
        ended = await self._writer.ended(end - clock())
        self._absent.close(connected=self._readers.busy or not ended)
        if not ended:
            logger.warning("the cache in %s: not all was written in time", self._folder)

    def _make_writer(self, db: sqlite3.Connection) -> Writer:
        committer = Committer(db, self._blobs, self._destination, self._spool_bytes)
        upkeep = Upkeep(db, self._blobs, self._pending, self.max_bytes, self._now)
        writer = Writer(self._folder, db, self._pending, self._errands, committer, upkeep, self._absent)
        writer.on_dirty = self._tell
        return writer

    def _tell(self) -> None:
        if self.on_dirty:
            self.on_dirty()
