"""In any doubt the disk is asked."""

import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from mitmcache.store import absent, walhead
from mitmcache.store.absent import Absent
from store.filtering import Start
from store.samples import key


class Hooked:
    """A connection before whose statements something happens, if they begin so."""

    def __init__(self, db: sqlite3.Connection, at: str, hook: Callable[[], object]) -> None:
        self._db = db
        self._at = at
        self._hook = hook

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        if statement.startswith(self._at):
            self._hook()
        return self._db.execute(statement, values)


def fail() -> None:
    raise sqlite3.OperationalError("disk I/O error")


@pytest.mark.parametrize("at", ["BEGIN", "PRAGMA", "SELECT key", "SELECT rowid", "ROLLBACK"])
def test_what_another_commits_while_it_is_brought_up_to_date_is_never_absent(started: Start, at: str) -> None:
    process, other = started(), started()
    hooked = Hooked(process.db, at, lambda: other.put("a"))
    process.filter.step(hooked)  # type: ignore[arg-type]  # all that is used
    assert not process.absent("a")
    process.settle()
    assert not process.absent("a") and process.absent("none")


def test_one_that_may_still_be_connected_keeps_its_locks(started: Start) -> None:
    process = started()
    head = process.filter._head
    process.filter.close(connected=True)
    assert head and walhead._shared and not process.absent("none")
    head.close()


@pytest.mark.parametrize("at", ["", "BEGIN", "PRAGMA", "SELECT"])
def test_where_it_cannot_be_brought_up_to_date_the_disk_is_asked(started: Start, at: str) -> None:
    process, other = started(), started()
    process.settle()
    other.put("a")
    failing = Hooked(process.db, at, fail)
    assert process.filter.step(failing) == absent.RETRY_SECONDS  # type: ignore[arg-type]  # all that is used
    other.put("b")
    assert not process.absent("none")
    process.settle()
    assert process.absent("none")
    assert not any(process.absent(name) for name in "ab")


def test_another_database_in_the_place_of_ours_ends_it(started: Start, tmp_path: Path) -> None:
    process = started()
    process.settle()
    assert process.absent("none")
    (tmp_path / "cache.sqlite3-shm").rename(tmp_path / "aside")
    assert process.step() == absent.RETRY_SECONDS
    assert not process.absent("none")


def test_a_key_that_is_none_ends_it(started: Start) -> None:
    process = started()
    process.db.execute(
        "INSERT INTO entries (key, size, version, used, expires, created, generation, provider, host, model,"
        " tags, grp, shape) VALUES ('no key', 0, 1, 0, 0, 0, 0, '', '', '', '', '', '')"
    )
    assert process.step() == absent.RETRY_SECONDS
    assert not process.absent("none")


def test_where_the_head_cannot_be_read_nothing_is_absent() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        filtered = Absent(lambda: None)
        filtered.open(db)
        assert filtered.step(db) == math.inf
        assert not filtered.is_absent(key("none"))
        filtered.close(connected=False)
