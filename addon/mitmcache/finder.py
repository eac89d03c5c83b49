"""Finds the record of a key in the fastest tier that has a good one."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from mitmcache.cache.likeness import Likeness
from mitmcache.cache.record import Corrupt, ForeignVersion, Record
from mitmcache.large import records
from mitmcache.large.records import LargeRecord
from mitmcache.selection import About
from mitmcache.store.base import Entry, Large, Staged, StoreError
from mitmcache.store.s3_large import Received
from mitmcache.store.tiers import Found as FoundBlob
from mitmcache.store.tiers import Tiers
from mitmcache.tally import Tally
from mitmcache.threads import INLINE, run_for

logger = logging.getLogger(__name__)

# Measured on CPython 3.13: a Record with its texts, and a header's tuple with the headers of its two texts.
RECORD_OVERHEAD = 1200
HEADER_OVERHEAD = 180


class Found(NamedTuple):
    """Whoever gets a LargeRecord closes it."""

    record: Record | LargeRecord
    tier: str

    def close(self) -> None:
        if isinstance(self.record, LargeRecord):
            self.record.close()


class Finder:
    """`valid(key, about)` is false for what has been purged. Only for the event loop's thread."""

    def __init__(self, tiers: Tiers, tally: Tally, valid: Callable[[str, About], bool]) -> None:
        self._tiers = tiers
        self._tally = tally
        self._valid = valid

    def at_hand(self, key: str) -> Found | None:
        """The record if it is in memory, has been read before, is fresh and not purged: asks nobody else."""
        record = self._tiers.at_hand(key)
        if not isinstance(record, Record) or not self._valid(key, record.about):
            return None
        found = Found(record, "memory")
        if not _fresh(found):
            return None
        self._tiers.used(key)
        return found

    async def find(self, key: str, about: About, likeness: Likeness) -> Found | None:
        """The first fresh record, else the first that is not, else None. What has been purged is not there.

        Raises ForeignVersion where there is none but one of another version, which is not to be replaced.
        `about` has the provider and the model. `likeness`, the request's, is worked out for an answer that
        comes from the bucket, which does not have it.
        """
        stale: Found | None = None
        foreign = False
        blob = await self._tiers.find(key, about)
        while blob:
            try:
                found = await self._read(blob, key, about)
            except ForeignVersion:
                found, foreign = None, True
            if found and _fresh(found):
                if blob.tier != "memory":
                    self._fill(blob, found, likeness)
                if stale:
                    stale.close()
                return found
            # it is no use there, and what a slower tier has may take its place
            await self._tiers.memory.delete(key)
            if stale is None:
                stale = found
            elif found:
                found.close()
            blob = await self._tiers.find(key, about, blob.tier)
        if foreign and stale is None:
            raise ForeignVersion
        return stale

    async def _read(self, blob: FoundBlob, key: str, about: About) -> Found | None:
        """None: damaged, which is counted and removed; or purged. Raises ForeignVersion."""
        try:
            found = Found(await self._decode(blob, key), blob.tier)
        except Corrupt as error:
            self._tally.corrupt += 1
            logger.warning("mitmcache: a damaged record was removed: %s", error)
            with suppress(StoreError):
                await self._tiers.discard(key, about, blob.tier)
            return None
        if self._valid(key, found.record.about):
            return found
        found.close()
        return None

    async def _decode(self, blob: FoundBlob, key: str) -> Record | LargeRecord:
        """Once, for as long as the blob stays in memory. Raises as `records.read` does."""
        data, memory = blob.blob, self._tiers.memory
        if not isinstance(data, bytes):
            return await run_for(INLINE + 1, records.read, data, key)
        if blob.tier == "memory" and isinstance(known := memory.made_of(key, data), Record):
            return known
        record = await run_for(len(data), records.read, data, key)
        if blob.tier == "memory" and isinstance(record, Record):
            memory.remember(key, data, record, _size(record))
        return record

    def _fill(self, blob: FoundBlob, found: Found, likeness: Likeness) -> None:
        record, data = found.record, blob.blob
        group, shape = (likeness.group, likeness.packed) if blob.tier == "bucket" else ("", b"")
        if isinstance(data, Large):
            if not isinstance(data.file, Received):
                return
            # the disk takes the file over; what is open stays readable
            copied: bytes | Staged = Staged(data.file.path, data.size)
        else:
            copied = data
        entry = Entry(record.key, copied, record.expires, group, shape, record.about, copy=True)
        self._tiers.fill(entry, blob.tier)


def _size(record: Record) -> int:
    """In memory, about."""
    texts = sum(len(name) + len(value) for name, value in record.headers)
    return len(record.body) + texts + HEADER_OVERHEAD * len(record.headers) + RECORD_OVERHEAD


def _fresh(found: Found) -> bool:
    return not found.record.expires or found.record.expires > time.time()
