import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mitmcache.store import errands, rows, schema
from mitmcache.store.base import StoreError
from mitmcache.store.errands import MAX_JOBS, Errands
from mitmcache.store.rows import File
from store.samples import entry, key


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    made, _ = schema.open_database(tmp_path)
    with closing(made):
        for n in range(5):
            rows.put(made, entry(n), 1, 1.0, b"x", "bucket")
        yield made


@pytest.fixture
def woken() -> list[int]:
    return []


@pytest.fixture
def asked(woken: list[int]) -> Errands:
    made = Errands(lambda: woken.append(1))
    made.open()
    return made


def dirty(db: sqlite3.Connection) -> list[int]:
    there = dict(db.execute("SELECT key, dirty FROM entries"))
    return [n for n in range(5) if there[key(n)]]


def test_uploads_are_noted_but_of_rows_that_have_changed(
    asked: Errands, db: sqlite3.Connection, woken: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errands, "MARK_SLICE", 2)
    for n in range(4):
        asked.mark(File(key(n), 1 if n else 2))
    assert len(woken) == 4
    assert asked.marks() == {key(n): 1 if n else 2 for n in range(4)}
    asked.step(db)
    assert (dirty(db), asked.marks()) == ([0, 4], {})


def test_marks_that_cannot_be_written_are_kept_for_the_next_time(
    asked: Errands, db: sqlite3.Connection
) -> None:
    asked.mark(File(key(1), 1))
    db.execute("PRAGMA query_only = ON")
    with pytest.raises(sqlite3.OperationalError):
        asked.step(db)
    assert asked.marks() == {key(1): 1}
    db.execute("PRAGMA query_only = OFF")
    asked.step(db)
    assert (dirty(db), asked.marks()) == ([0, 2, 3, 4], {})


def test_a_mark_made_while_another_of_its_key_is_written_is_kept(
    asked: Errands, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = rows.clean

    def slow(db: sqlite3.Connection, marks: list[File]) -> None:
        clean(db, marks)
        monkeypatch.setattr(rows, "clean", clean)
        asked.mark(File(key(1), 2))
        rows.put(db, entry(1), 2, 1.0, b"y", "bucket")

    monkeypatch.setattr(rows, "clean", slow)
    asked.mark(File(key(1), 1))
    asked.step(db)
    assert dirty(db) == [0, 2, 3, 4]


def test_marks_are_bounded(asked: Errands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errands, "MAX_MARKS", 2)
    for n in (0, 1, 2, 1):
        asked.mark(File(key(n), n))
    assert asked.marks() == {key(0): 0, key(1): 1}


def test_a_jobs_answer_or_failure_comes_back(asked: Errands, db: sqlite3.Connection) -> None:
    good = asked.do(lambda db: db.execute("SELECT count(*) FROM entries").fetchone()[0])
    bad = asked.do(lambda db: db.execute("SELECT * FROM nowhere"))
    after = asked.do(lambda db: 1)
    asked.step(db)
    assert (good.result(0), after.result(0)) == (5, 1)
    assert isinstance(bad.exception(0), sqlite3.OperationalError)


def test_a_job_that_nobody_waits_for_any_more_is_not_done(asked: Errands, db: sqlite3.Connection) -> None:
    asked.do(lambda db: db.execute("DELETE FROM entries")).cancel()
    asked.step(db)
    assert len(dirty(db)) == 5


def test_jobs_are_bounded(asked: Errands, db: sqlite3.Connection) -> None:
    for _ in range(MAX_JOBS):
        asked.do(lambda db: None)
    with pytest.raises(StoreError, match="too many"):
        asked.do(lambda db: None)
    asked.step(db)
    asked.do(lambda db: None)


def test_dropped_files_are_removed_with_the_next_step_or_at_once_where_there_is_none(
    asked: Errands, db: sqlite3.Connection, tmp_path: Path
) -> None:
    paths = [tmp_path / str(n) for n in range(3)]
    for path in paths:
        path.touch()
    asked.drop(paths[0])
    asked.drop(tmp_path / "never there")
    assert paths[0].exists()
    asked.step(db)
    assert not paths[0].exists()
    asked.drop(paths[1])
    asked.close()
    assert not paths[1].exists()
    asked.drop(paths[2])
    assert not paths[2].exists()


def test_a_job_that_is_too_late_is_told_so(asked: Errands) -> None:
    waiting = asked.do(lambda db: 1)
    asked.close()
    assert isinstance(waiting.exception(0), StoreError)
    with pytest.raises(StoreError, match="closed"):
        asked.do(lambda db: 1)
