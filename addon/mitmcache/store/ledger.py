"""What is asked of the disk store beside get and put: by the uploader, by `ls` and `purge`, and by whoever
has something small to remember."""

import asyncio
import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mitmcache.selection import About, Selection
from mitmcache.store import browse, misses, rows
from mitmcache.store.base import StoreError
from mitmcache.store.blobs import Blobs
from mitmcache.store.browse import Place, Row
from mitmcache.store.errands import MAX_MARKS, Errands, Job
from mitmcache.store.lately import Lately
from mitmcache.store.misses import Miss
from mitmcache.store.pending import Pending
from mitmcache.store.readers import Readers
from mitmcache.store.schema import cause, transaction

SOON_SECONDS = 2.0
READ_SECONDS = 10.0
WRITE_SECONDS = 30.0
REMOVE_SLICE = 500


@dataclass(frozen=True, slots=True)
class Due:
    """A row that waits to be uploaded. `version` tells this put of the key from any other."""

    key: str
    version: int
    size: int
    about: About
    expires: float


class Ledger:
    """Belongs to one event loop. Nothing here sees what is queued; `remove` waits for it to be written.

    Every method raises StoreError where the disk fails or is slow.
    """

    def __init__(
        self, folder: Path, blobs: Blobs, pending: Pending, errands: Errands, destination: str
    ) -> None:
        self._folder = folder
        self._blobs = blobs
        self._pending = pending
        self._errands = errands
        self._destination = destination
        self._readers: Readers | None = None
        self._closed = False
        self._lately = Lately()

    async def flush(self, deadline: float) -> bool:
        """Waits until all that is queued now is written or given up. False: it was not within `deadline`
        seconds, or the store is closed."""
        if self._readers is None or self._closed:
            return False
        try:
            await asyncio.wait_for(asyncio.wrap_future(self._pending.flush()), deadline)
        except TimeoutError:
            return False
        return True

    async def due(self, limit: int, skip: Collection[str] = ()) -> list[Due]:
        """The rows that wait for our destination, the oldest first, without the keys to skip and what was
        said to be `uploaded`. StoreError after two seconds.

        An expired one need not be uploaded, and is as good as uploaded.
        """
        marks = self._errands.marks()
        if not self._destination or len(marks) >= MAX_MARKS:  # the disk is behind: more would be done twice
            return []

        def read(db: sqlite3.Connection) -> list[Due]:
            found: list[Due] = []
            for row in browse.due(db, self._destination):
                if len(found) >= limit:
                    break
                if row.key not in skip and marks.get(row.key) != row.version:
                    found.append(Due(row.key, row.version, row.size, row.about, row.expires))
            return found

        return await self._read(read, SOON_SECONDS)

    def uploaded(self, key: str, version: int) -> None:
        """The destination has the row, or never will. It is no longer dirty, unless it has changed since.
        Returns at once; if it is lost in a crash, the row is due again."""
        self._errands.mark(rows.File(key, version))

    async def select(self, selection: Selection, limit: int, after: Row | None = None) -> list[Row]:
        """At most `limit` rows, by provider, model and age of the row, from behind the row `after` on."""
        place = browse.place(after) if after else None
        found: list[Row] = []
        while len(found) < limit:
            page = await self._read(
                partial(browse.page, selection=selection, after=place, limit=limit - len(found))
            )
            found += page.rows
            place = page.end
            if place is None:
                break
        return found

    async def count(self, selection: Selection) -> tuple[int, int]:
        """How many entries, and how many bytes their blobs have."""
        entries = size = 0
        place: Place | None = None
        while True:
            page = await self._read(
                partial(browse.page, selection=selection, after=place, limit=browse.SCANNED)
            )
            entries += len(page.rows)
            size += sum(row.size for row in page.rows)
            place = page.end
            if place is None:
                return entries, size

    async def remove(
        self,
        selection: Selection,
        progress: Callable[[int], None] | None = None,
        *,
        generation: int | None = None,
    ) -> int:
        """Removes the rows and their files, uploaded or not; how many. With a `generation`, only rows of an
        older one. `progress` is told how many more, time after time.

        What is put meanwhile may stay. The bytes are given back to the disk later.
        """
        if not await self.flush(WRITE_SECONDS):
            raise StoreError(f"the cache in {self._folder} is slow or closed")
        removed = 0
        place: Place | None = None
        while True:
            page = await self._read(
                partial(browse.page, selection=selection, after=place, limit=REMOVE_SLICE)
            )
            gone = [row for row in page.rows if generation is None or row.about.generation < generation]
            if gone:
                count = await self._write(partial(self._remove, gone))
                self._lately.clear()
                removed += count
                if progress:
                    progress(count)
            place = page.end
            if place is None:
                return removed

    async def keys(self, prefix: str, limit: int) -> list[str]:
        """At most `limit` keys that begin with the prefix, in order."""
        return await self._read(partial(browse.keys, prefix=prefix, limit=limit))

    async def recall(self, name: str) -> bytes | None:
        """What any process that uses the folder has last remembered under the name."""
        return await self._read(partial(rows.recall, name=name))

    async def remember(self, name: str, value: bytes) -> None:
        """Small things only. Once this returns, it outlasts even a power cut; after a StoreError it may be
        remembered or not."""

        def write(db: sqlite3.Connection) -> None:
            db.execute("PRAGMA synchronous = FULL")
            try:
                with transaction(db):
                    rows.remember(db, name, value)
            finally:
                db.execute("PRAGMA synchronous = NORMAL")

        await self._write(write)

    async def note(self, missed: list[Miss]) -> None:
        """Adds to the last misses that are kept; they may be lost in a power cut."""

        def write(db: sqlite3.Connection) -> None:
            with transaction(db):
                misses.note(db, missed)

        await self._write(write)

    async def missed(self, prefix: str, limit: int) -> list[Miss]:
        """The last misses of any process, the latest first, of keys that begin with the prefix."""
        return await self._read(partial(misses.latest, prefix=prefix, limit=limit))

    def _remove(self, gone: list[Row], db: sqlite3.Connection) -> int:
        """A row that has changed since it was seen stays, and so does its file, which has another name."""
        with transaction(db):
            removed = rows.remove(db, (row.file for row in gone))
        self._blobs.remove(row.file for row in gone if row.in_file)
        return removed

    async def _read[T](self, job: Job[T], seconds: float = READ_SECONDS) -> T:
        try:
            async with asyncio.timeout(seconds):
                return await self._reading().run(job)
        except TimeoutError:
            raise StoreError(f"the cache in {self._folder} is slow") from None

    async def _write[T](self, job: Job[T]) -> T:
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self._errands.do(job)), WRITE_SECONDS)
        except TimeoutError:
            raise StoreError(f"the cache in {self._folder} is slow") from None
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"writing the cache in {self._folder} fails: {cause(error)}") from error

    def _reading(self) -> Readers:
        if self._readers is None:
            raise StoreError("the store is not open")
        return self._readers
