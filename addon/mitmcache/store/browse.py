"""Which rows a Selection means, a page at a time, so that no reader's thread is held for long.

Rows are visited by provider, model and age. That needs one index, and lets a walk step over every model
that is not meant; all else is left to `Selection.matches`, which alone decides.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from mitmcache.selection import About, Selection
from mitmcache.store import rows
from mitmcache.store.rows import File

SCANNED = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """An entry without its blob. `used` and `expires` (0 for never) in Unix seconds, `size` in bytes.

    `dirty` is the destination it is still to be uploaded to, or "". `version` changes with every put.
    """

    key: str
    version: int
    about: About
    size: int
    expires: float
    used: float
    dirty: str
    in_file: bool
    place: int

    @property
    def file(self) -> File:
        return File(self.key, self.version)


class Place(NamedTuple):
    """Where a walk is: behind this row."""

    provider: str
    model: str
    rowid: int


class Page(NamedTuple):
    """`end` is where to go on; None: nothing comes after."""

    rows: list[Row]
    end: Place | None


_COLUMNS = f"{rows.ABOUT}, key, version, size, expires, used, dirty, typeof(blob) = 'null', rowid"
_LAST = (1 << 63) - 1


def place(row: Row) -> Place:
    return Place(row.about.provider, row.about.model, row.place)


def page(db: sqlite3.Connection, selection: Selection, after: Place | None, limit: int) -> Page:
    """At most `limit` rows, found among at most about SCANNED."""
    if selection.key is not None:
        return Page(_one(db, selection) if after is None else [], None)
    models = replace(selection, host=None, tag=None, before=None)
    found: list[Row] = []
    left = SCANNED
    while left > 0:
        left -= 1
        if after is None or after.rowid == _LAST:
            group = _next_group(db, after)
            if group is None:
                return Page(found, None)
            after = Place(*group, 0)
        if not models.matches("", About(provider=after.provider, model=after.model)):
            after = after._replace(rowid=_LAST)
            continue
        for row in _group(db, after, left + 1):
            left -= 1
            after = place(row)
            if selection.matches(row.key, row.about):
                found.append(row)
                if len(found) >= limit:
                    return Page(found, after)
        if left >= 0:
            after = after._replace(rowid=_LAST)
    return Page(found, after)


def keys(db: sqlite3.Connection, prefix: str, limit: int) -> list[str]:
    """In order. Keys are hexadecimal, so all that begin with the prefix come before prefix + "g"."""
    query = "SELECT key FROM entries WHERE key >= ? AND key < ? ORDER BY key LIMIT ?"
    return [row[0] for row in db.execute(query, (prefix, prefix + "g", limit))]


def due(db: sqlite3.Connection, destination: str) -> Iterator[Row]:
    """The rows that are dirty for the destination, the oldest first."""
    query = f"SELECT {_COLUMNS} FROM entries WHERE dirty = ? AND dirty <> '' ORDER BY version"
    return map(_row, db.execute(query, (destination,)))


def _one(db: sqlite3.Connection, selection: Selection) -> list[Row]:
    found = map(_row, db.execute(f"SELECT {_COLUMNS} FROM entries WHERE key = ?", (selection.key,)))
    return [row for row in found if selection.matches(row.key, row.about)]


def _next_group(db: sqlite3.Connection, after: Place | None) -> tuple[str, str] | None:
    behind = "" if after is None else "WHERE (provider, model) > (?, ?)"
    query = f"SELECT provider, model FROM entries {behind} ORDER BY provider, model LIMIT 1"
    group: tuple[str, str] | None = db.execute(query, after[:2] if after else ()).fetchone()
    return group


def _group(db: sqlite3.Connection, after: Place, limit: int) -> Iterator[Row]:
    query = f"""
        SELECT {_COLUMNS} FROM entries WHERE provider = ? AND model = ? AND rowid > ? ORDER BY rowid LIMIT ?
    """
    return map(_row, db.execute(query, (*after, limit)))


def _row(columns: tuple[object, ...]) -> Row:
    about = rows.about(columns[:6])  # type: ignore[arg-type]  # in the order of _COLUMNS
    key, version, size, expires, used, dirty, in_file, place = columns[6:]
    return Row(key, version, about, size, expires, used, dirty, bool(in_file), place)  # type: ignore[arg-type]
