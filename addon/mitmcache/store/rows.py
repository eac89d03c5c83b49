"""The statements: what is asked of the database, and nothing of when or why."""

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

from mitmcache.store.base import Entry
from mitmcache.store.schema import ROW_OVERHEAD


class Totals(NamedTuple):
    entries: int
    bytes: int


class Victim(NamedTuple):
    rowid: int
    key: str
    cost: int
    in_file: bool


_COST = f"size + length(shape) + {ROW_OVERHEAD}"
_PUT = """
INSERT INTO entries (key, size, created, used, expires, grp, shape, blob) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET size = excluded.size, created = excluded.created, used = excluded.used,
  expires = excluded.expires, grp = excluded.grp, shape = excluded.shape, blob = excluded.blob
"""


def put(db: sqlite3.Connection, entry: Entry, at: float, *, inline: bool) -> None:
    blob = entry.blob if inline else None
    size = len(entry.blob)
    row = (entry.key, size, at, at, entry.expires, entry.group, entry.shape, blob)
    db.execute(_PUT, row)


def delete(db: sqlite3.Connection, key: str) -> None:
    db.execute("DELETE FROM entries WHERE key = ?", (key,))


def find(db: sqlite3.Connection, key: str) -> tuple[int, bytes | None] | None:
    """(size, blob), the blob None where it is in a file."""
    row: tuple[int, bytes | None] | None = db.execute(
        "SELECT size, blob FROM entries WHERE key = ?", (key,)
    ).fetchone()
    return row


def in_file(db: sqlite3.Connection, key: str) -> bool:
    query = "SELECT 1 FROM entries WHERE key = ? AND typeof(blob) = 'null'"
    return db.execute(query, (key,)).fetchone() is not None


def totals(db: sqlite3.Connection) -> Totals:
    return Totals(*db.execute("SELECT n, bytes FROM totals").fetchone())


def touch(db: sqlite3.Connection, touched: Mapping[str, float]) -> None:
    changes = [(at, key, at) for key, at in touched.items()]
    db.executemany("UPDATE entries SET used = ? WHERE key = ? AND used < ?", changes)


def victims(db: sqlite3.Connection, now: float, limit: int) -> list[Victim]:
    """What to evict first: the expired, longest ago first, or if there are none the least recently used."""
    columns = f"rowid, key, {_COST}, typeof(blob) = 'null'"
    expired = f"SELECT {columns} FROM entries WHERE expires > 0 AND expires <= ? ORDER BY expires LIMIT ?"
    unused = f"SELECT {columns} FROM entries ORDER BY used LIMIT ?"
    found = db.execute(expired, (now, limit)).fetchall() or db.execute(unused, (limit,)).fetchall()
    return [Victim(*row) for row in found]


def evict(db: sqlite3.Connection, gone: list[Victim]) -> None:
    db.executemany("DELETE FROM entries WHERE rowid = ?", [(victim.rowid,) for victim in gone])


def shapes(db: sqlite3.Connection, group: str, limit: int) -> list[tuple[str, bytes]]:
    """(key, shape) of the group's rows that have a shape, the most recently used first."""
    query = "SELECT key, shape FROM entries WHERE grp = ? AND shape <> x'' ORDER BY used DESC LIMIT ?"
    return db.execute(query, (group, limit)).fetchall()
