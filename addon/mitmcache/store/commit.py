"""Writes a batch of changes: the files first, then the rows in one transaction, then away with the files
that no row names any more."""

import contextlib
import sqlite3
from dataclasses import dataclass, field

from mitmcache.store import rows
from mitmcache.store.blobs import INLINE_BYTES, Blobs
from mitmcache.store.pending import Change
from mitmcache.store.rows import File
from mitmcache.store.schema import transaction
from mitmcache.store.tables import ROW_OVERHEAD


@dataclass(slots=True)
class Done:
    """What a committed batch came to. `stored` counts the entries that are no copies; `dirty` those of
    them that are to be uploaded, and `spool_full` those that are not for want of room."""

    stored: int = 0
    dirty: int = 0
    spool_full: int = 0
    obsolete: list[File] = field(default_factory=list)


class Committer:
    """Entries that are no copies become dirty for `destination`, if that is not "", as long as the dirty
    rows of all destinations take at most `spool_bytes`."""

    def __init__(self, db: sqlite3.Connection, blobs: Blobs, destination: str, spool_bytes: int) -> None:
        self._db = db
        self._blobs = blobs
        self._destination = destination
        self._spool_bytes = spool_bytes

    def commit(self, batch: list[Change]) -> Done:
        """All or nothing. What it raises leaves temporary files as they were, or already in place, so that
        the same changes can be tried again."""
        done = Done()
        written: list[File] = []
        try:
            for change in batch:
                written += self._lay(change)
            with transaction(self._db):
                room = self._room()
                for change in batch:
                    room -= self._apply(change, room, done)
        except BaseException:
            with contextlib.suppress(OSError):
                self._blobs.remove(written)
            raise
        with contextlib.suppress(OSError):  # it is committed: what stays behind is swept
            self._blobs.remove(done.obsolete)
        return done

    def give_up(self, change: Change) -> None:
        """Removes the temporary file, wherever it has got to."""
        if staged := change.staged:
            with contextlib.suppress(OSError):
                staged.path.unlink(missing_ok=True)
                self._blobs.remove([change.file])

    def _lay(self, change: Change) -> list[File]:
        """The file that was written, if any; one that was only put in its place is not."""
        if staged := change.staged:
            self._blobs.place(staged.path, change.file)
        elif change.entry and isinstance(change.entry.blob, bytes) and len(change.entry.blob) > INLINE_BYTES:
            self._blobs.write(change.file, change.entry.blob)
            return [change.file]
        return []

    def _room(self) -> int:
        if not self._destination:
            return 0
        return self._spool_bytes - sum(total.bytes for total in rows.spooled(self._db).values())

    def _apply(self, change: Change, room: int, done: Done) -> int:
        """The bytes that are dirty now; there is room for so many. That its old content may have been dirty
        too makes none: it matters only where there is next to none."""
        entry = change.entry
        obsolete = rows.file_of(self._db, change.key)
        if entry is None:
            rows.delete(self._db, change.key)
            done.obsolete += [obsolete] if obsolete else []
            return 0
        cost = len(entry.blob) + len(entry.shape) + ROW_OVERHEAD
        wanted = bool(self._destination) and not entry.copy
        dirty = self._destination if wanted and cost <= room else ""
        blob = entry.blob if isinstance(entry.blob, bytes) and len(entry.blob) <= INLINE_BYTES else None
        put = rows.put(self._db, entry, change.version, change.at, blob, dirty, only_if_newer=not change.over)
        if put:
            done.obsolete += [obsolete] if obsolete else []
        elif blob is None:
            done.obsolete.append(change.file)
        done.stored += not entry.copy
        done.dirty += bool(dirty)
        done.spool_full += wanted and not dirty
        return cost if dirty else 0
