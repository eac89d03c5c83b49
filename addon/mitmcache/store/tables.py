"""The tables of the local database, and how those of an older version become these."""

import secrets
import sqlite3
from collections.abc import Iterator

VERSION = 2
# What a row and its index entries take beside blob and shape: 300 to 2,300 bytes, as the blob happens to
# fill its pages (measured, 100 B to 64 KiB).
ROW_OVERHEAD = 1024

# `version`: see rows.new_version. `dirty`: the destination that the row must still be uploaded to, "" for
# none. `tags`: a JSON array. The blob is last, so that a query for the small columns never reads through it.
# `misses`: the last ones, of all processes (see misses.py); it came later, and older ones leave it alone.
# The counters are kept by triggers, so that they are right whichever process writes, and however it dies.
_TABLES = f"""
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (
  key TEXT NOT NULL PRIMARY KEY,
  size INTEGER NOT NULL,
  version INTEGER NOT NULL,
  used REAL NOT NULL,
  expires REAL NOT NULL,
  dirty TEXT NOT NULL DEFAULT '',
  created REAL NOT NULL,
  generation INTEGER NOT NULL,
  provider TEXT NOT NULL,
  host TEXT NOT NULL,
  model TEXT NOT NULL,
  tags TEXT NOT NULL,
  grp TEXT NOT NULL,
  shape BLOB NOT NULL,
  blob BLOB
);
CREATE INDEX IF NOT EXISTS entries_used ON entries (used) WHERE dirty = '';
CREATE INDEX IF NOT EXISTS entries_dirty ON entries (dirty, version) WHERE dirty <> '';
CREATE INDEX IF NOT EXISTS entries_expires ON entries (expires) WHERE expires > 0;
CREATE INDEX IF NOT EXISTS entries_group ON entries (grp, used);
CREATE INDEX IF NOT EXISTS entries_model ON entries (provider, model);
CREATE TABLE IF NOT EXISTS misses (
  id INTEGER PRIMARY KEY,
  at REAL NOT NULL,
  key TEXT NOT NULL,
  host TEXT NOT NULL,
  model TEXT NOT NULL,
  why TEXT NOT NULL,
  nearest TEXT NOT NULL,
  places TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS totals (id INTEGER PRIMARY KEY CHECK (id = 0), n INTEGER, bytes INTEGER);
INSERT OR IGNORE INTO totals VALUES (0, 0, 0);
CREATE TABLE IF NOT EXISTS spool (destination TEXT PRIMARY KEY, n INTEGER, bytes INTEGER) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS entries_insert AFTER INSERT ON entries BEGIN
  UPDATE totals SET n = n + 1, bytes = bytes + NEW.size + length(NEW.shape) + {ROW_OVERHEAD};
END;
CREATE TRIGGER IF NOT EXISTS entries_delete AFTER DELETE ON entries BEGIN
  UPDATE totals SET n = n - 1, bytes = bytes - OLD.size - length(OLD.shape) - {ROW_OVERHEAD};
END;
CREATE TRIGGER IF NOT EXISTS entries_update AFTER UPDATE OF size, shape ON entries BEGIN
  UPDATE totals SET bytes = bytes + NEW.size + length(NEW.shape) - OLD.size - length(OLD.shape);
END;
CREATE TRIGGER IF NOT EXISTS spool_insert AFTER INSERT ON entries WHEN NEW.dirty <> '' BEGIN
  INSERT INTO spool VALUES (NEW.dirty, 1, NEW.size + length(NEW.shape) + {ROW_OVERHEAD})
    ON CONFLICT (destination) DO UPDATE SET n = n + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER IF NOT EXISTS spool_delete AFTER DELETE ON entries WHEN OLD.dirty <> '' BEGIN
  UPDATE spool SET n = n - 1, bytes = bytes - OLD.size - length(OLD.shape) - {ROW_OVERHEAD}
    WHERE destination = OLD.dirty;
END;
CREATE TRIGGER IF NOT EXISTS spool_update AFTER UPDATE OF size, shape, dirty ON entries
WHEN OLD.dirty <> '' OR NEW.dirty <> '' BEGIN
  UPDATE spool SET n = n - 1, bytes = bytes - OLD.size - length(OLD.shape) - {ROW_OVERHEAD}
    WHERE destination = OLD.dirty;
  INSERT INTO spool SELECT NEW.dirty, 1, NEW.size + length(NEW.shape) + {ROW_OVERHEAD} WHERE NEW.dirty <> ''
    ON CONFLICT (destination) DO UPDATE SET n = n + 1, bytes = bytes + excluded.bytes;
END;
"""

# The rows are copied and not altered: new columns would come after the blob. That of version 1 called the
# time at which the row was written `created`, which is all that is known of the answer's age.
_FROM_1 = """
DROP TRIGGER entries_insert;
DROP TRIGGER entries_delete;
DROP TRIGGER entries_update;
DROP INDEX entries_used;
DROP INDEX entries_expires;
DROP INDEX entries_group;
DROP TABLE totals;
ALTER TABLE entries RENAME TO entries_1;
"""
_COPY_FROM_1 = """
INSERT INTO entries (
  key, size, version, used, expires, created, generation, provider, host, model, tags, grp, shape, blob
) SELECT key, size, CAST(created * 1000 AS INTEGER) << 20, used, expires, created, 0, '', '', '', '',
  grp, shape, blob FROM entries_1 ORDER BY rowid;
DROP TABLE entries_1;
UPDATE meta SET value = 2 WHERE name = 'version';
"""


def create(db: sqlite3.Connection) -> bytes:
    """Makes what is missing, and brings an older version's tables up to this one; the secret made when the
    database was. Belongs inside a transaction."""
    older = version(db) == 1
    for script in (_FROM_1, _TABLES, _COPY_FROM_1) if older else (_TABLES,):
        for statement in _statements(script):
            db.execute(statement)
    db.execute("INSERT OR IGNORE INTO meta VALUES ('version', ?)", (VERSION,))
    db.execute("INSERT OR IGNORE INTO meta VALUES ('shape_secret', ?)", (secrets.token_bytes(32),))
    row = db.execute("SELECT value FROM meta WHERE name = 'shape_secret'").fetchone()
    return bytes(row[0])


def version(db: sqlite3.Connection) -> int | None:
    """None: the database is empty, or was not finished."""
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone():
        return None
    row = db.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
    return int(row[0]) if row else None


def _statements(script: str) -> Iterator[str]:
    """executescript would commit before it begins."""
    statement = ""
    for line in script.strip().splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
