"""What is certainly not on the disk: most keys of misses, which then need no trip to it.

A filter of the keys that may be there: those that were there when it was loaded, those put here, and those
that others have written since. It counts only while nobody has committed anything since it was last brought
up to date (see walhead.py), and in any doubt the disk is asked.
"""

import contextlib
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from mitmcache.store.walhead import WalHead

BITS = 24
"""2^24 bits, 2 MiB. Two of each key are set: with a million keys, 1 of 80 absent ones takes the trip."""
DIGITS = BITS * 2 // 4
_MASK = (1 << BITS) - 1
SLICE = 500
PAUSE = 0.01
"""Seconds between two slices."""
KNOWN = 16
"""Of the newest rows: one of them has to stay."""
REST = 10
"""After loading, so many times as long as it took until the next."""
WAKE_SECONDS = 0.25
RETRY_SECONDS = 30.0


class _Row(NamedTuple):
    """A row that stands at its place with its key and version was never gone: see rows.new_version."""

    rowid: int
    key: str
    version: int


class Absent:
    """`is_absent` and `add` belong to the loop, `step` to the writer, whose connection `db` is; `wake` has
    the writer take a step."""

    def __init__(self, wake: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self.spared = 0
        """Trips."""
        self._wake = wake
        self._clock = clock
        self._bits = bytearray(1 << BITS - 3)
        self._lock = threading.Lock()  # to set a bit is to read a byte and write it
        self._head: WalHead | None = None
        self._seen = b""
        self._wake_at = 0.0
        # the writer's
        self._version: int | None = None
        self._loaded_to: str | None = None
        self._newest: list[_Row] = []
        self._follow_from: int | None = None
        self._began = self._next_at = self._rest_until = 0.0

    def open(self, db: sqlite3.Connection) -> None:
        """Where this is not possible, nothing is ever absent."""
        with contextlib.suppress(OSError, ValueError, sqlite3.Error):
            self._head = WalHead(db)

    def close(self, *, connected: bool) -> None:
        """`connected`: the store may still have a connection, which would lose its locks."""
        head, self._head = self._head, None
        if head and not connected:
            head.close()

    def is_absent(self, key: str) -> bool:
        """False: it may be there. True: a read of the disk that began now would not find it."""
        head, seen = self._head, self._seen
        if not seen or head is None:
            return False
        if not head.is_still(seen):
            self._call()
            return False
        number = int(key[:DIGITS], 16)
        first, second, bits = number & _MASK, number >> BITS, self._bits
        if bits[first >> 3] >> (first & 7) & 1 and bits[second >> 3] >> (second & 7) & 1:
            return False
        self.spared += 1
        return True

    def add(self, key: str) -> None:
        """Before it is put."""
        self._add((key,))

    def step(self, db: sqlite3.Connection) -> float:
        """Takes in what is new, or a slice of it; the seconds until there is more to do. Raises nothing."""
        head = self._head
        if head is None:
            return math.inf
        try:
            if not head.is_current:
                raise OSError("the database was replaced")
            seen = head.read()
            with _snapshot(db):
                wait = self._catch_up(db)
        except (OSError, ValueError, sqlite3.Error):
            self._seen = b""
            return RETRY_SECONDS
        if wait == math.inf:
            self._seen = seen
            return math.inf if seen else PAUSE
        return wait

    def _call(self) -> None:
        now = self._clock()
        if now >= self._wake_at:
            self._wake_at = now + WAKE_SECONDS
            self._wake()

    def _catch_up(self, db: sqlite3.Connection) -> float:
        """Seconds until the next slice; infinite: all that `db` sees is in the filter."""
        self._look(db)
        now = self._clock()
        if self._is_behind:
            if now < self._next_at:
                return self._next_at - now
            if self._loaded_to is not None:
                self._load(db, self._loaded_to)
            elif self._follow_from is not None:
                self._follow(db, self._follow_from)
        if self._is_behind:
            self._next_at = self._clock() + PAUSE
            return PAUSE
        self._newest = _newest(db)
        return math.inf

    @property
    def _is_behind(self) -> bool:
        return self._loaded_to is not None or self._follow_from is not None

    def _look(self, db: sqlite3.Connection) -> None:
        """`data_version` changes where another connection has committed. What it has inserted since has a
        higher rowid than any row that has been there all the time. If we know of none, all are read again."""
        version = db.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return
        self._follow_from = None if self._version is None else _last_that_stayed(db, self._newest)
        if self._follow_from is None:
            self._began = self._next_at = max(self._clock(), self._rest_until)
            self._newest = _newest(db)
            self._loaded_to = ""
        self._version = version

    def _load(self, db: sqlite3.Connection, after: str) -> None:
        """By the index alone: the rows have the blobs between them."""
        query = "SELECT key FROM entries WHERE key > ? ORDER BY key LIMIT ?"
        keys = [key for (key,) in db.execute(query, (after, SLICE))]
        self._add(keys)
        if len(keys) == SLICE:
            self._loaded_to = keys[-1]
            return
        self._loaded_to = None
        now = self._clock()
        self._rest_until = now + REST * (now - self._began)

    def _follow(self, db: sqlite3.Connection, after: int) -> None:
        query = "SELECT rowid, key, version FROM entries WHERE rowid > ? ORDER BY rowid LIMIT ?"
        found = [_Row(*row) for row in db.execute(query, (after, SLICE))]
        self._add(row.key for row in found)
        if len(found) == SLICE:
            self._newest = found[: -KNOWN - 1 : -1]
            self._follow_from = found[-1].rowid
        else:
            self._follow_from = None

    def _add(self, keys: Iterable[str]) -> None:
        bits = self._bits
        with self._lock:
            for key in keys:
                number = int(key[:DIGITS], 16)
                first, second = number & _MASK, number >> BITS
                bits[first >> 3] |= 1 << (first & 7)
                bits[second >> 3] |= 1 << (second & 7)


@contextlib.contextmanager
def _snapshot(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("ROLLBACK")


def _newest(db: sqlite3.Connection) -> list[_Row]:
    query = "SELECT rowid, key, version FROM entries ORDER BY rowid DESC LIMIT ?"
    return [_Row(*row) for row in db.execute(query, (KNOWN,))]


def _last_that_stayed(db: sqlite3.Connection, newest: list[_Row]) -> int | None:
    """Its rowid."""
    query = "SELECT 1 FROM entries WHERE rowid = ? AND key = ? AND version = ?"
    stayed = (row.rowid for row in newest if db.execute(query, row).fetchone())
    return next(stayed, None)
