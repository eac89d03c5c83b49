import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mitmcache.selection import About, Selection
from mitmcache.store import schema
from mitmcache.store.base import StoreError
from mitmcache.store.blobs import INLINE_BYTES
from mitmcache.store.schema import DATABASE, transaction
from mitmcache.store.tables import ROW_OVERHEAD
from store.helpers import OpenDisk, names, query
from store.samples import blob, key

LARGE = INLINE_BYTES + 1

# As the first version made them, but for the counters' arithmetic.
VERSION_1 = """
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE entries (
  key TEXT NOT NULL PRIMARY KEY, size INTEGER NOT NULL, created REAL NOT NULL, used REAL NOT NULL,
  expires REAL NOT NULL, grp TEXT NOT NULL, shape BLOB NOT NULL, blob BLOB
);
CREATE INDEX entries_used ON entries (used);
CREATE INDEX entries_expires ON entries (expires) WHERE expires > 0;
CREATE INDEX entries_group ON entries (grp, used);
CREATE TABLE totals (id INTEGER PRIMARY KEY CHECK (id = 0), n INTEGER, bytes INTEGER);
INSERT INTO totals VALUES (0, 0, 0);
CREATE TRIGGER entries_insert AFTER INSERT ON entries BEGIN UPDATE totals SET n = n + 1; END;
CREATE TRIGGER entries_delete AFTER DELETE ON entries BEGIN UPDATE totals SET n = n - 1; END;
CREATE TRIGGER entries_update AFTER UPDATE OF size, shape ON entries BEGIN
  UPDATE totals SET bytes = bytes + NEW.size;
END;
INSERT INTO meta VALUES ('version', 1);
INSERT INTO meta VALUES ('shape_secret', x'73656372657473656372657473656372657473656372657473656372657473');
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder of the first version, with 20 entries, the last in a file."""
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as db:
        db.executescript(VERSION_1)
        for n in range(20):
            size = LARGE if n == 19 else 1000
            value = blob(key(n), size)
            row = (key(n), size, 500.0 + n, 600.0 + n, 9000.0 * (n % 2), "g", b"%d" % n)
            inline = None if n == 19 else value
            db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, inline))
    folder = tmp_path / "blobs" / key(19)[:2]
    folder.mkdir(parents=True)
    (folder / key(19)).write_bytes(blob(key(19), LARGE))
    return tmp_path


async def test_a_database_of_the_first_version_is_taken_over_whole(old: Path, open_disk: OpenDisk) -> None:
    store = open_disk()
    assert store.secret == b"secret" * 5 + b"s"
    got = [await store.get(key(n)) for n in range(20)]
    assert got == [blob(key(n), LARGE if n == 19 else 1000) for n in range(20)]
    found = sorted(await store.select(Selection(), 99), key=lambda row: row.used)
    assert [(row.key, row.used, row.expires, row.about, row.dirty) for row in found] == [
        (key(n), 600.0 + n, 9000.0 * (n % 2), About(created=500.0 + n), "") for n in range(20)
    ]
    assert await store.nearest("g", 3) == [(key(n), b"%d" % n) for n in (19, 18, 17)]
    stats = await store.stats()
    shapes = sum(len(str(n)) for n in range(20))
    assert (stats.entries, stats.bytes) == (20, 19_000 + LARGE + shapes + 20 * ROW_OVERHEAD)
    assert query(old, "SELECT value FROM meta WHERE name = 'version'") == [(2,)]
    assert names(old, "*corrupt*") == []


async def test_what_was_taken_over_is_replaced_and_removed_with_its_file(
    old: Path, open_disk: OpenDisk
) -> None:
    store = open_disk()
    await store.delete(key(19))
    await store.flush(60)
    assert names(old, "blobs/*/*") == []
    assert (await store.stats()).entries == 19


async def test_the_tables_are_the_same_whether_made_or_taken_over(
    old: Path, open_disk: OpenDisk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    new = tmp_path_factory.mktemp("new")
    open_disk()
    open_disk(new)
    tables = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name"
    assert query(old, tables) == query(new, tables)


async def test_a_takeover_that_fails_leaves_the_old_database_as_it_was(
    old: Path, open_disk: OpenDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is done again when there is room."""
    connect = schema.connect

    def no_room(folder: Path, *, read_only: bool = False) -> sqlite3.Connection:
        db = connect(folder, read_only=read_only)
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages + 5}")
        return db

    before = query(old, "SELECT * FROM entries")
    with monkeypatch.context() as patched:
        patched.setattr(schema, "connect", no_room)
        with pytest.raises(StoreError, match=f"{old}: database or disk is full"):
            open_disk()
    assert query(old, "SELECT * FROM entries") == before
    assert query(old, "SELECT value FROM meta WHERE name = 'version'") == [(1,)]
    assert await open_disk().get(key(3)) == blob(key(3), 1000)


PLANS = {
    "the next to upload": (
        "SELECT key FROM entries WHERE dirty = ? AND dirty <> '' ORDER BY version",
        "entries_dirty",
    ),
    "the least recently used": ("SELECT key FROM entries WHERE dirty = '' ORDER BY used", "entries_used"),
    "a model's": (
        "SELECT size FROM entries WHERE provider = ? AND model = ? AND rowid > ? ORDER BY rowid",
        "entries_model (provider=? AND model=? AND rowid>?)",
    ),
}


@pytest.mark.parametrize(("statement", "index"), PLANS.values(), ids=PLANS)
def test_what_is_asked_of_a_million_rows_has_its_index(tmp_path: Path, statement: str, index: str) -> None:
    db, _ = schema.open_database(tmp_path)
    with closing(db):
        values = (1,) * statement.count("?")
        (plan,) = (row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}", values))
        assert index in plan


def test_the_counters_of_a_dirty_row_outlive_an_upsert_that_does_nothing(tmp_path: Path) -> None:
    """SQLite lets the outer statement's conflict clause override a trigger's, were it an OR clause."""
    db, _ = schema.open_database(tmp_path)
    insert = """
        INSERT INTO entries VALUES (?, 1, 1, 1, 0, 'b', 0, 0, '', '', '', '', '', x'', x'00')
        ON CONFLICT (key) DO NOTHING
    """
    with closing(db), transaction(db):
        for name in ("a", "b", "a"):
            db.execute(insert, (name,))
        assert db.execute("SELECT n, bytes FROM spool").fetchall() == [(2, 2 * (1 + ROW_OVERHEAD))]
