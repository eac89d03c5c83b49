"""The last misses, noted in the database so that the command line can explain them."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

KEPT = 200
TOGETHER = 128
"""Rows of one statement, whose values any SQLite takes."""
MAX_PLACES = 64
MAX_PLACE = 200
"""Characters of one place."""


@dataclass(frozen=True, slots=True)
class Miss:
    """One call that was not answered from the cache. `at` in Unix seconds.

    `why` is RFC 9211's word for it, or our own; `nearest` the key of the most alike stored request, or "",
    and `places` where the two differ: paths, never values.
    """

    at: float
    key: str
    host: str
    model: str
    why: str
    nearest: str = ""
    places: tuple[str, ...] = ()


def note(db: sqlite3.Connection, misses: Iterable[Miss]) -> None:
    """Keeps the last KEPT, whoever has noted them. Belongs inside a transaction."""
    rows = [
        (miss.at, miss.key, miss.host, miss.model[:MAX_PLACE], miss.why, miss.nearest, _pack(miss.places))
        for miss in misses
    ][-KEPT:]
    columns = "at, key, host, model, why, nearest, places"
    for start in range(0, len(rows), TOGETHER):
        some = rows[start : start + TOGETHER]
        marks = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(some))
        # at the end of each statement a thread waits until the busy event loop lets go of the interpreter
        values = [value for row in some for value in row]
        db.execute(f"INSERT INTO misses ({columns}) VALUES {marks}", values)
    db.execute("DELETE FROM misses WHERE id <= (SELECT max(id) FROM misses) - ?", (KEPT,))


def latest(db: sqlite3.Connection, prefix: str, limit: int) -> list[Miss]:
    """At most `limit` whose key begins with the prefix, the latest first."""
    query = """
        SELECT at, key, host, model, why, nearest, places FROM misses
        WHERE substr(key, 1, length(?)) = ? ORDER BY id DESC LIMIT ?
    """
    found = db.execute(query, (prefix, prefix, limit)).fetchall()
    return [Miss(*row[:-1], places=tuple(json.loads(row[-1]))) for row in found]  # type: ignore[misc]


def _pack(places: tuple[str, ...]) -> str:
    return json.dumps([place[:MAX_PLACE] for place in places[:MAX_PLACES]])
