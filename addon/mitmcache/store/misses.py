"""The last misses, noted in the database so that the command line can explain them."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

KEPT = 200
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
    ]
    columns = "at, key, host, model, why, nearest, places"
    db.executemany(f"INSERT INTO misses ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
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
