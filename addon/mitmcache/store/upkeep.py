"""What the writer does between batches, a slice at a time so that no batch waits long: it notes what was
used, evicts, gives freed pages back to the disk, and removes what a killed process left behind."""

import sqlite3
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from mitmcache.store import rows
from mitmcache.store.blobs import SHARDS, Blobs, key_of
from mitmcache.store.pending import MAX_TOUCHED, Pending
from mitmcache.store.schema import transaction

TOUCH_SECONDS = 30.0
TOUCH_SLICE = 1000
EVICT_SLICE = 500
EVICT_SLICES = 8
EVICT_TO = 0.9
SLACK_PAGES = 256
VACUUM_SLICE = 512
ORPHAN_SECONDS = 3600.0
ORPHAN_SLICE = 1000


class Upkeep:
    def __init__(
        self,
        db: sqlite3.Connection,
        blobs: Blobs,
        pending: Pending,
        max_bytes: int,
        now: Callable[[], float],
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._pending = pending
        self._max_bytes = max_bytes
        self._now = now
        self.evicted = 0
        self._touched_at = time.monotonic()
        self._evicting = False
        self._vacuuming = False
        self._shards = iter(SHARDS)
        self._staging_at = time.monotonic() - ORPHAN_SECONDS

    def step(self) -> bool:
        """One slice; True if there is more to do at once. The store is within `max_bytes` afterwards, unless
        that takes thousands of rows.

        Raises sqlite3.Error and OSError; what was half done is done by a later step.
        """
        size = rows.totals(self._db).bytes
        self._evicting = self._evicting or size > self._max_bytes
        self._note_use()
        if self._evicting:
            self._evict()
        return self._evicting or self._vacuum() or self._sweep()

    def _note_use(self) -> None:
        """Not with every batch: a key in steady use would be written with each. Before an eviction, which
        asks for it, and for whoever flushes."""
        waited = time.monotonic() - self._touched_at >= TOUCH_SECONDS
        many = self._pending.touched >= MAX_TOUCHED // 2
        if not (waited or many or self._evicting or self._pending.flushing):
            return
        self._touched_at = time.monotonic()
        for _ in range(MAX_TOUCHED // TOUCH_SLICE):
            touched = self._pending.take_touched(TOUCH_SLICE)
            if not touched:
                return
            with transaction(self._db):
                rows.touch(self._db, touched)

    def _evict(self) -> None:
        target = int(self._max_bytes * EVICT_TO)
        for _ in range(EVICT_SLICES):
            size = self._evict_slice(target)
            if size <= self._max_bytes:
                break
        self._evicting = size > target

    def _evict_slice(self, target: int) -> int:
        """Gives the size that is left, or 0 where nothing more may go."""
        with transaction(self._db):
            size = rows.totals(self._db).bytes
            gone = []
            for victim in rows.victims(self._db, self._now(), EVICT_SLICE):
                if size <= target:
                    break
                gone.append(victim)
                size -= victim.cost
            removed = rows.remove(self._db, (victim.file for victim in gone))
        self.evicted += max(0, removed)  # executemany of nothing gives -1
        self._blobs.remove(victim.file for victim in gone if victim.in_file)
        return size if gone else 0

    def _vacuum(self) -> bool:
        free = self._db.execute("PRAGMA freelist_count").fetchone()[0]
        if free > SLACK_PAGES:
            self._db.execute(f"PRAGMA incremental_vacuum({VACUUM_SLICE})").fetchall()
            self._vacuuming = True
        elif self._vacuuming:
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()  # only this shortens the file
            self._vacuuming = False
        return self._vacuuming

    def _sweep(self) -> bool:
        """Once after opening, a folder at a time: files that no row names. Younger ones may belong to
        another process that has yet to commit. And temporary files, every hour."""
        before = self._now() - ORPHAN_SECONDS
        if time.monotonic() - self._staging_at >= ORPHAN_SECONDS:
            self._staging_at = time.monotonic()
            self._blobs.remove_aged_staging(before)
            return True
        shard = next(self._shards, None)
        if shard is None:
            return False
        aged = (path for path in self._blobs.aged(shard, before) if not self._is_named(path))
        for path in list(islice(aged, ORPHAN_SLICE)):
            path.unlink(missing_ok=True)
        return True

    def _is_named(self, path: Path) -> bool:
        file = rows.file_of(self._db, key_of(path))
        return file is not None and self._blobs.path(file) == path
