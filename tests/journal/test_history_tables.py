import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mitmcache.journal.history_tables import DATABASE, VERSION, open_history, read_history, recall, remember
from mitmcache.store.base import StoreError


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    with closing(open_history(tmp_path / "data")):
        files = [path for path in (tmp_path / "data").iterdir() if path.name.startswith(DATABASE)]
        assert files and all(path.stat().st_mode & 0o077 == 0 for path in files)


def test_before_the_first_call_there_is_none_to_read(tmp_path: Path) -> None:
    assert read_history(tmp_path) is None
    (tmp_path / DATABASE).touch()
    assert read_history(tmp_path) is None


def test_it_can_be_read_when_nobody_writes(tmp_path: Path) -> None:
    with closing(open_history(tmp_path)) as db:
        remember(db, "dropped", 7.0)
    found = read_history(tmp_path)
    assert found is not None
    with closing(found):
        assert (recall(found, "dropped"), recall(found, "other")) == (7.0, 0.0)
        with pytest.raises(sqlite3.OperationalError):
            remember(found, "dropped", 8.0)


def test_a_newer_ones_is_refused_and_left_alone(tmp_path: Path) -> None:
    with closing(open_history(tmp_path)) as db:
        db.execute("UPDATE meta SET value = ? WHERE name = 'version'", (VERSION + 1,))
    for way in (open_history, read_history):
        with pytest.raises(StoreError, match="newer"):
            way(tmp_path)
    assert [path.name for path in tmp_path.glob("*corrupt*")] == []


def test_a_corrupt_one_is_set_aside_and_an_empty_one_begun(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / DATABASE).write_bytes(b"no database at all" * 1000)
    with closing(open_history(tmp_path)) as db:
        assert db.execute("SELECT count(*) FROM calls").fetchone() == (0,)
    assert (tmp_path / f"{DATABASE}.corrupt-1").exists()
    assert "the history database was corrupt" in caplog.text


def test_the_index_that_an_earlier_version_has_made_of_ids_goes(tmp_path: Path) -> None:
    with closing(open_history(tmp_path)) as db:
        db.execute("CREATE INDEX calls_id ON calls (id)")
    with closing(open_history(tmp_path)) as db:
        made = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
        assert db.execute(made).fetchall() == [("calls_began",)]
