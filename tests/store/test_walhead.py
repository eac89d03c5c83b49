import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from mitmcache.store import schema, walhead
from mitmcache.store.schema import DATABASE
from mitmcache.store.walhead import WalHead

SHM = DATABASE + "-shm"
REMEMBER = "INSERT OR REPLACE INTO meta VALUES ('note:a', 1)"
WRITE = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
try:
    db.execute("INSERT OR REPLACE INTO meta VALUES ('note:a', 1)")
except sqlite3.OperationalError as error:
    sys.exit(str(error))
"""


@pytest.fixture
def another(db: sqlite3.Connection, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(schema.connect(tmp_path)) as made:
        yield made


@pytest.fixture
def open_head(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], WalHead]]:
    """What is still open is closed after the connections, as it must be."""
    monkeypatch.setattr(walhead, "_shared", {})
    heads: list[WalHead] = []

    def open_one() -> WalHead:
        heads.append(WalHead(db))
        return heads[-1]

    yield open_one
    db.close()
    for head in heads:
        head.close()
    assert not walhead._shared


def write_elsewhere(folder: Path) -> str:
    """Another process writes; why it cannot, or ""."""
    command = [sys.executable, "-c", WRITE, str(folder / DATABASE)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False).stderr.strip()


@pytest.mark.parametrize(
    "statements",
    [
        [REMEMBER],
        ["BEGIN IMMEDIATE", REMEMBER, "COMMIT"],
        [REMEMBER, "DELETE FROM meta WHERE name = 'note:a'"],
        ["CREATE TABLE more (a)"],
    ],
    ids=["a statement", "a transaction", "there and back", "a table"],
)
def test_a_commit_is_seen(
    open_head: Callable[[], WalHead],
    db: sqlite3.Connection,
    another: sqlite3.Connection,
    statements: list[str],
) -> None:
    head = open_head()
    for who in (db, another):
        seen = head.read()
        assert seen and head.is_still(seen)
        for statement in statements:
            who.execute(statement)
        assert not head.is_still(seen)
        db.execute("DROP TABLE IF EXISTS more")


@pytest.mark.parametrize(
    "statements",
    [
        ["SELECT * FROM meta"],
        ["BEGIN IMMEDIATE", REMEMBER],
        ["BEGIN IMMEDIATE", REMEMBER, "ROLLBACK"],
    ],
    ids=["a read", "not committed", "rolled back"],
)
def test_what_commits_nothing_is_not(
    open_head: Callable[[], WalHead], another: sqlite3.Connection, statements: list[str]
) -> None:
    head = open_head()
    seen = head.read()
    for statement in statements:
        another.execute(statement).fetchall()
    assert head.is_still(seen)


def test_what_another_process_commits_is_seen(open_head: Callable[[], WalHead], tmp_path: Path) -> None:
    head = open_head()
    seen = head.read()
    assert write_elsewhere(tmp_path) == ""
    assert not head.is_still(seen)


def test_a_log_that_begins_anew_does_not_look_as_it_did(
    open_head: Callable[[], WalHead], db: sqlite3.Connection
) -> None:
    head = open_head()
    heads = [head.read()]
    for _ in range(3):
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        db.execute(REMEMBER)
        heads.append(head.read())
    assert len(set(heads)) == 4


def test_one_that_closes_it_leaves_the_locks_of_the_others(
    open_head: Callable[[], WalHead], db: sqlite3.Connection, tmp_path: Path
) -> None:
    head = open_head()
    db.execute("BEGIN IMMEDIATE")
    WalHead(db).close()
    assert write_elsewhere(tmp_path).endswith("database is locked")
    db.execute("ROLLBACK")
    assert head.is_still(head.read())


def descriptors(folder: Path) -> int:
    """Of the files in the folder: other threads may open and close others."""
    files = {(status.st_dev, status.st_ino) for status in map(Path.stat, folder.iterdir())}
    found = 0
    for each in Path("/dev/fd").iterdir():
        with suppress(OSError):
            status = os.fstat(int(each.name))
            found += (status.st_dev, status.st_ino) in files
    return found


def test_the_last_one_leaves_no_descriptor(db: sqlite3.Connection, tmp_path: Path) -> None:
    before = descriptors(tmp_path)
    heads = [WalHead(db), WalHead(db)]
    assert descriptors(tmp_path) > before > 0
    for head in heads:
        head.close()
    assert descriptors(tmp_path) == before


def test_a_head_that_is_half_written_says_nothing(open_head: Callable[[], WalHead]) -> None:
    """As it is in the middle of a commit."""
    head = open_head()
    whole = head.read()
    half = bytearray(whole)
    half[walhead.COPY + 8] ^= 1
    head._bytes = bytes(half)  # type: ignore[assignment]  # it is read alone
    assert whole and head.read() == b""
    assert not head.is_still(b"")


def test_another_database_in_its_place_is_noticed(open_head: Callable[[], WalHead], tmp_path: Path) -> None:
    head = open_head()
    assert head.is_current
    (tmp_path / SHM).rename(tmp_path / "aside")
    assert not head.is_current
    (tmp_path / SHM).write_bytes(bytes(1 << 15))
    assert not head.is_current
    (tmp_path / "aside").replace(tmp_path / SHM)
    assert head.is_current


def test_it_is_found_behind_a_symbolic_link(db: sqlite3.Connection, tmp_path: Path) -> None:
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / DATABASE).symlink_to(tmp_path / DATABASE)
    with closing(schema.connect(tmp_path / "link")) as linked:
        linked.execute("SELECT * FROM meta").fetchall()
        head = WalHead(linked)
        seen = head.read()
        db.execute(REMEMBER)
        assert not head.is_still(seen)
    db.close()
    head.close()


def test_a_format_that_is_not_known_is_refused(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walhead, "FORMAT", b"new!")
    monkeypatch.setattr(walhead, "_shared", {})  # what was opened stays so: `db` has locks on it
    with pytest.raises(ValueError, match="unknown format"):
        WalHead(db)


@pytest.mark.parametrize("name", ["plain", ":memory:"])
def test_a_database_with_no_log_is_refused(tmp_path: Path, name: str) -> None:
    with closing(sqlite3.connect(tmp_path / name if name == "plain" else name)) as db:
        db.execute("CREATE TABLE a (b)")
        with pytest.raises(OSError, match="-shm"):
            WalHead(db)
