"""The database of the history: a file of its own beside the cache's, which may be deleted at any time.

`calls` are the finished calls, one by one. `hours` adds them up by the hour and by whom and what, and
`latencies` counts how long they took: these two stay when the calls themselves are dropped.
"""

import contextlib
import sqlite3
from pathlib import Path

from mitmcache.journal.ledgers import COLUMNS
from mitmcache.store import schema
from mitmcache.store.base import StoreError

DATABASE = "history.sqlite3"
VERSION = 1

_KINDS = {"dollars": "REAL", "cache_savings": "REAL"}
_SUMS = ", ".join(f"{name} {_KINDS.get(name, 'INTEGER')} NOT NULL" for name in COLUMNS)

# `dropped` in meta: Unix seconds; of calls that began until then, some are gone from `calls`. The facts are
# last, so that a query for the small columns never reads through them. Ids have no index: they are random,
# so that keeping one takes as long as all else that is done for a call (20 us), and a search without 30 ms.
_TABLES = f"""
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS calls (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL, began REAL NOT NULL, word TEXT NOT NULL,
  provider TEXT NOT NULL, host TEXT NOT NULL, model TEXT NOT NULL, client TEXT NOT NULL,
  ledger TEXT NOT NULL, served INTEGER NOT NULL, {_SUMS}, facts BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS calls_began ON calls (began);
DROP INDEX IF EXISTS calls_id;
CREATE TABLE IF NOT EXISTS hours (
  hour INTEGER NOT NULL,
  provider TEXT NOT NULL, host TEXT NOT NULL, model TEXT NOT NULL, client TEXT NOT NULL,
  ledger TEXT NOT NULL, served INTEGER NOT NULL, {_SUMS},
  PRIMARY KEY (hour, provider, host, model, client, ledger, served)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS latencies (
  hour INTEGER NOT NULL, kind TEXT NOT NULL, bound INTEGER NOT NULL, calls INTEGER NOT NULL,
  PRIMARY KEY (hour, kind, bound)
) WITHOUT ROWID;
"""


def open_history(folder: Path) -> sqlite3.Connection:
    """A connection to write by, from any thread, one at a time.

    A corrupt database is set aside and an empty one begun. Raises StoreError for one that a newer version
    has made, and otherwise what sqlite3 and the file system raise.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with schema.opening(folder):
        try:
            return _open(folder)
        except sqlite3.DatabaseError as error:
            if not schema.is_corrupt(error):
                raise
        schema.set_aside(folder / DATABASE)
        return _open(folder)


def read_history(folder: Path) -> sqlite3.Connection | None:
    """A connection to read by; None: there is no history yet."""
    if not (folder / DATABASE).exists():
        return None
    db = schema.connect(folder, read_only=True, name=DATABASE)
    try:
        if _version(db, folder) is None:
            db.close()
            return None
    except BaseException:
        db.close()
        raise
    return db


def recall(db: sqlite3.Connection, name: str) -> float:
    row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return float(row[0]) if row else 0.0


def remember(db: sqlite3.Connection, name: str, value: float) -> None:
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def _open(folder: Path) -> sqlite3.Connection:
    path = folder / DATABASE
    schema.create_private(path)
    db = schema.connect(folder, name=DATABASE)
    try:
        _version(db, folder)
        with contextlib.suppress(PermissionError):
            path.chmod(0o600)
        schema.prepare(db, folder)
        with schema.transaction(db):
            for statement in _TABLES.strip().removesuffix(";").split(";\n"):
                db.execute(statement)
            db.execute("INSERT OR IGNORE INTO meta VALUES ('version', ?)", (VERSION,))
    except BaseException:
        db.close()
        raise
    return db


def _version(db: sqlite3.Connection, folder: Path) -> int | None:
    """None: it has no tables. Raises StoreError for one of a newer mitmcache."""
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone():
        return None
    row = db.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
    if row and row[0] > VERSION:
        raise StoreError(f"a newer mitmcache made the history in {folder}: its version is {row[0]}")
    return int(row[0]) if row else None
