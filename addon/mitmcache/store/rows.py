"""The statements: what is asked of the database, and nothing of when or why."""

import json
import random
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mitmcache.selection import About
from mitmcache.store.base import Entry
from mitmcache.store.tables import ROW_OVERHEAD


class Totals(NamedTuple):
    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class DiskStats:
    """`entries` and `bytes` are those of the folder, `bytes` with an estimate of what the rows take; so are
    `dirty` and `dirty_bytes`, of what waits for an upload to anywhere, and `dirty_ours` and
    `dirty_ours_bytes`, of what waits for our destination.

    `queued` and `queued_bytes` wait in memory to be written, which is `failing` of late or not.

    All else counts what this process has done since it began: `stored`, committed and no copies;
    `spool_full`, of these not to be uploaded, for want of room; `queue_full` and `write_failed`, dropped;
    `evicted`.
    """

    entries: int
    bytes: int
    queue_full: int
    write_failed: int
    stored: int = 0
    spool_full: int = 0
    dirty: int = 0
    dirty_bytes: int = 0
    dirty_ours: int = 0
    dirty_ours_bytes: int = 0
    evicted: int = 0
    queued: int = 0
    queued_bytes: int = 0
    failing: bool = False


class File(NamedTuple):
    """What names the file of one blob: no other blob, of this key or another, has the same."""

    key: str
    version: int


class Victim(NamedTuple):
    key: str
    version: int
    cost: int
    in_file: bool

    @property
    def file(self) -> File:
        return File(self.key, self.version)


class Found(NamedTuple):
    """`blob` is None where it is in a file."""

    version: int
    size: int
    blob: bytes | None


CHANCE = (1 << 20) - 1
ABOUT = "provider, host, model, tags, created, generation"
_NOTE = "note:"
_COST = f"size + length(shape) + {ROW_OVERHEAD}"
_INSERT = f"""
INSERT INTO entries (key, size, version, used, expires, dirty, {ABOUT}, grp, shape, blob)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO
"""
_PUT = f"""
{_INSERT} UPDATE SET size = excluded.size, version = excluded.version, used = excluded.used,
  expires = excluded.expires, dirty = excluded.dirty, provider = excluded.provider, host = excluded.host,
  model = excluded.model, tags = excluded.tags, created = excluded.created,
  generation = excluded.generation, grp = excluded.grp, shape = excluded.shape, blob = excluded.blob
"""
_PUT_IF_NEWER = f"{_PUT} WHERE entries.dirty = '' AND entries.created < excluded.created"


def new_version(at: float) -> int:
    """A number for a row's content: milliseconds of Unix time, then 20 bits that are never all zero, so
    that it grows with age and hardly ever comes twice. Those of the first database version are zero."""
    return int(at * 1000) << 20 | (random.getrandbits(20) or 1)


def put(
    db: sqlite3.Connection,
    entry: Entry,
    version: int,
    at: float,
    blob: bytes | None,
    dirty: str = "",
    *,
    only_if_newer: bool = False,
) -> bool:
    """`blob` is None where it is in a file. With `only_if_newer`, a row stays (False) that holds a record as
    young, or one that is still to be uploaded."""
    about = entry.about
    tags = json.dumps(about.tags) if about.tags else ""
    known = (about.provider, about.host, about.model, tags, about.created, about.generation)
    row = (entry.key, len(entry.blob), version, at, entry.expires, dirty, *known)
    statement = _PUT_IF_NEWER if only_if_newer else _PUT
    return db.execute(statement, (*row, entry.group, entry.shape, blob)).rowcount > 0


def about(columns: tuple[str, str, str, str, float, int]) -> About:
    """From the columns of `ABOUT`."""
    provider, host, model, tags, created, generation = columns
    return About(provider, host, model, tuple(json.loads(tags)) if tags else (), created, generation)


def delete(db: sqlite3.Connection, key: str) -> None:
    db.execute("DELETE FROM entries WHERE key = ?", (key,))


def find(db: sqlite3.Connection, key: str) -> Found | None:
    row = db.execute("SELECT version, size, blob FROM entries WHERE key = ?", (key,)).fetchone()
    return Found(*row) if row else None


def file_of(db: sqlite3.Connection, key: str) -> File | None:
    """None also where there is no row."""
    query = "SELECT version FROM entries WHERE key = ? AND typeof(blob) = 'null'"
    row = db.execute(query, (key,)).fetchone()
    return File(key, row[0]) if row else None


def totals(db: sqlite3.Connection) -> Totals:
    return Totals(*db.execute("SELECT n, bytes FROM totals").fetchone())


def spooled(db: sqlite3.Connection) -> dict[str, Totals]:
    """The dirty rows, by destination."""
    return {
        row[0]: Totals(*row[1:]) for row in db.execute("SELECT destination, n, bytes FROM spool WHERE n > 0")
    }


def clean(db: sqlite3.Connection, uploaded: Iterable[File]) -> None:
    """Of rows that have changed since, nothing."""
    marks = [(mark.key, mark.version) for mark in uploaded]
    db.executemany("UPDATE entries SET dirty = '' WHERE key = ? AND version = ? AND dirty <> ''", marks)


def touch(db: sqlite3.Connection, touched: Mapping[str, float]) -> None:
    changes = [(at, key, at) for key, at in touched.items()]
    db.executemany("UPDATE entries SET used = ? WHERE key = ? AND used < ?", changes)


def victims(db: sqlite3.Connection, now: float, limit: int) -> list[Victim]:
    """What to evict first: the expired, longest ago first, or if there are none the least recently used of
    those that are not dirty. An expired answer need not be uploaded."""
    columns = f"key, version, {_COST}, typeof(blob) = 'null'"
    expired = f"SELECT {columns} FROM entries WHERE expires > 0 AND expires <= ? ORDER BY expires LIMIT ?"
    unused = f"SELECT {columns} FROM entries WHERE dirty = '' ORDER BY used LIMIT ?"
    found = db.execute(expired, (now, limit)).fetchall() or db.execute(unused, (limit,)).fetchall()
    return [Victim(*row) for row in found]


def remove(db: sqlite3.Connection, gone: Iterable[File]) -> int:
    """How many rows were removed: none that has changed since."""
    marks = [(file.key, file.version) for file in gone]
    return db.executemany("DELETE FROM entries WHERE key = ? AND version = ?", marks).rowcount


def shapes(db: sqlite3.Connection, group: str, limit: int) -> list[tuple[str, bytes]]:
    """(key, shape) of the group's rows that have a shape, the most recently used first."""
    query = "SELECT key, shape FROM entries WHERE grp = ? AND shape <> x'' ORDER BY used DESC LIMIT ?"
    return db.execute(query, (group, limit)).fetchall()


def recall(db: sqlite3.Connection, name: str) -> bytes | None:
    row = db.execute("SELECT value FROM meta WHERE name = ?", (_NOTE + name,)).fetchone()
    return bytes(row[0]) if row else None


def remember(db: sqlite3.Connection, name: str, value: bytes) -> None:
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_NOTE + name, value))
