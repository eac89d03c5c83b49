"""What is dropped from the history to stay within its bounds, and the room that this leaves."""

import sqlite3

from mitmcache.journal.history_tables import recall, remember

MAX_CALLS = 100_000
"""About 100 MB."""
MAX_HOURS = 200_000
"""Rows of all hours, about 40 MB; the oldest hours go first."""
SPARE = 1024
"""Pages of 4 kB that stay free in the file: the next calls take the place of those that were dropped."""
SLICE = 256
"""Pages that are given back at a time."""


def drop(db: sqlite3.Connection, before: float, most: int) -> None:
    """Drops the calls that began before a time, and all but the last `most`. Belongs inside a transaction."""
    last = db.execute("SELECT max(number) FROM calls").fetchone()[0] or 0
    # not `max` with an OR: that looks at every call, from the latest on
    both = "SELECT began FROM calls WHERE number <= ? UNION ALL SELECT began FROM calls WHERE began < ?"
    until = db.execute(f"SELECT max(began) FROM ({both})", (last - most, before)).fetchone()[0]
    if until is not None:
        db.execute("DELETE FROM calls WHERE number <= ? OR began < ?", (last - most, before))
        remember(db, "dropped", max(until, recall(db, "dropped")))


def drop_hours(db: sqlite3.Connection, before: float) -> None:
    """Drops the sums of the hours that began before a time, and of the oldest beyond MAX_HOURS. Belongs
    inside a transaction."""
    beyond = "SELECT hour FROM hours ORDER BY hour DESC LIMIT 1 OFFSET ?"
    db.execute(f"DELETE FROM hours WHERE hour < ? OR hour <= ({beyond})", (before, MAX_HOURS))
    db.execute("DELETE FROM latencies WHERE hour < ?", (before,))


def shrink(db: sqlite3.Connection) -> None:
    """Gives the file system back a slice of what is free beyond SPARE. Belongs outside a transaction."""
    # to give a page back is to move the last one of the file there: not at each write, for the next to grow
    if db.execute("PRAGMA freelist_count").fetchone()[0] > SPARE:
        db.execute(f"PRAGMA incremental_vacuum({SLICE})").fetchall()
