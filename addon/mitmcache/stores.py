"""The tiers that the options ask for, with all that works behind them: opened, started, closed together."""

import asyncio
import logging
import secrets
import time
from contextlib import suppress

from mitmcache.purge.purger import KNOWN, Purger
from mitmcache.selection import Selection
from mitmcache.settings import Settings
from mitmcache.store.base import StoreError
from mitmcache.store.disk import DiskStore
from mitmcache.store.location import NOTED
from mitmcache.store.memory import MemoryStore
from mitmcache.store.names import Names
from mitmcache.store.r2 import R2Store
from mitmcache.store.rows import DiskStats
from mitmcache.store.seal import Seal
from mitmcache.store.sole import Sole
from mitmcache.store.tiers import Tiers
from mitmcache.store.uploads import Uploads

logger = logging.getLogger(__name__)

UPLOADING, WRITING = 0.6, 0.2
"""Shares of the time to close: at most for uploads, at least for writing."""
FLUSH = 1.0
"""Seconds that a reader of the statistics waits for what has been accepted to be written."""


class Stores:
    """`disk` is None where it cannot be opened, `bucket` and `uploads` where there is none.

    `secret` keys the digests in shapes: the same for all who share the folder.
    """

    def __init__(self, settings: Settings) -> None:
        """Opens the disk, which blocks. A disk that cannot be opened is said in the log."""
        self.secret = secrets.token_bytes(32)
        self._destination = str(settings.store) if settings.store else ""
        self.disk = self._open(settings)
        self.bucket: R2Store | None = None
        self.uploads: Uploads | None = None
        where = settings.store
        seal = Seal(settings.secret, where.namespace) if where and settings.secret else None
        if where:
            stage = self.disk.stage if self.disk else None
            self.bucket = R2Store(where, Names(seal), seal, deadline=settings.lookup_timeout, stage=stage)
        self.purger = Purger(self.disk, self.bucket, seal, poll=settings.poll)
        if self.disk:
            self._recall(self.disk)
        if self.bucket and self.disk:
            lock = Sole(settings.data_dir, str(where))
            self.uploads = Uploads(
                self.disk, self.bucket, lock, valid=lambda key, about: not self.purger.purged(key, about)
            )
        self.tiers = Tiers(MemoryStore(settings.memory), self.disk, self.bucket)

    def start(self) -> None:
        """Once the proxy listens: nothing here is waited for."""
        if self.disk:
            self._noting = asyncio.create_task(self._note(self.disk))
        if self.bucket:
            self.bucket.start()
        if self.uploads:
            self.uploads.start()
        self.purger.start()

    async def purge(self, selection: Selection) -> int:
        """Makes misses of what is selected, here and for all who share the bucket, then deletes it on this
        disk: how many. What a failing bucket could not be told is told later; then StoreError.

        In the bucket it is overwritten, or collected, or deleted by `mitmcache purge`.
        """
        try:
            await self.purger.purge(selection)
        finally:
            removed = 0
            if self.disk:
                generation = self.purger.current.number(selection)
                removed = await self.disk.remove(selection, generation=generation)
        return removed

    def down(self, disk: DiskStats | None) -> frozenset[str]:
        """The tiers that answers should be in, and that cannot be used, or not all of it; by the disk's
        statistics."""
        failing = disk is None or disk.failing
        bucket = self.bucket is not None and self.bucket.is_left_alone
        paused = self.uploads is not None and bool(self.uploads.statistics()["paused"])
        return frozenset((["disk"] if failing else []) + (["bucket"] if bucket or paused else []))

    async def statistics(self) -> dict[str, object]:
        """What is stored, counting all that has been accepted so far, and what still has to be uploaded."""
        if self.disk is None:
            return {"entries": len(self.tiers.memory), "bytes": self.tiers.memory.bytes}
        await self.disk.flush(FLUSH)
        disk = await self.disk.stats()
        return {
            "stored": disk.stored,
            "entries": disk.entries,
            "bytes": disk.bytes,
            "lookup_failed": self.tiers.lookup_failed,
            "lookup_timeout": self.tiers.lookup_timeout,
            "queue_full": disk.queue_full,
            "write_failed": disk.write_failed,
            "upload_pending": disk.dirty_ours,
            "upload_pending_bytes": disk.dirty_ours_bytes,
            "spool_full": disk.spool_full,
            **({"uploads": self.uploads.statistics()} if self.uploads else {}),
            **({"bucket": self.bucket.statistics()} if self.bucket else {}),
        }

    async def close(self, deadline: float) -> None:
        """All of it in about `deadline`. Uploads first: they read the disk, and tell it what has arrived."""
        clock = asyncio.get_running_loop().time
        end = clock() + deadline
        if self.uploads:
            await self.uploads.close(deadline * UPLOADING)
        await self.purger.close()
        await self.tiers.close(max(end - clock(), deadline * WRITING))

    async def _note(self, disk: DiskStore) -> None:
        """For the command line, which then need not be told which bucket it is."""
        with suppress(StoreError):
            await disk.remember(NOTED, self._destination.encode())

    def _recall(self, disk: DiskStore) -> None:
        try:
            self.purger.begin(disk.recall_now(KNOWN))
        except StoreError as error:
            # closed: what may have been purged is not served
            logger.warning("mitmcache: nothing is served from the cache for now: %s", error)

    def _open(self, settings: Settings) -> DiskStore | None:
        disk = DiskStore(
            settings.data_dir,
            settings.disk,
            now=time.time,
            destination=self._destination,
            spool_bytes=settings.spool,
        )
        try:
            disk.open()
        except StoreError as error:
            # open: without its disk the cache is a smaller cache, not a broken proxy
            also = ", and nothing is uploaded" if self._destination else ""
            logger.warning("mitmcache: answers are kept in memory alone%s: %s", also, error)
            return None
        self.secret = disk.secret
        return disk
