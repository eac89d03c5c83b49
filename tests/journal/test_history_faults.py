"""Disks that fail: calls go on, and the log says so once."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from journal.conftest import DEADLINE, FULL, Make, ids
from mitmcache.journal import history as module
from mitmcache.journal import history_sums
from mitmcache.journal.history_tables import DATABASE, VERSION
from mitmcache.store.base import StoreError
from mitmcache.store.schema import connect


async def test_a_folder_that_cannot_be_written_is_said_once_and_calls_go_on(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY", 0.0)
    folder = tmp_path / "no-folder"
    folder.write_text("in the way")
    history = make(folder)
    for _ in range(3):
        history.note([FULL])
        await history.flush(DEADLINE)
    assert caplog.text.count("finished calls are not kept") == 1 and history.lost == 3
    folder.unlink()
    history.note([FULL])
    assert len(await ids(history)) == 1


async def test_a_full_disk_loses_the_batch_and_nothing_else(
    make: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY", 0.0)
    history = make()
    history.note([replace(FULL, id="before")])
    await history.flush(DEADLINE)
    assert history._db
    pages = history._db.execute("PRAGMA page_count").fetchone()[0]
    history._db.execute(f"PRAGMA max_page_count = {pages}")
    history.note([replace(FULL, id=str(n), error="x" * 200) for n in range(1000)])
    await history.flush(DEADLINE)
    assert history.lost == 1000 and "full" in caplog.text
    history.note([replace(FULL, id="after")])
    assert await ids(history) == ["after", "before"]


async def test_after_a_failure_it_is_not_tried_again_at_once(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "no-folder"
    folder.write_text("in the way")
    history = make(folder)
    history.note([FULL])
    await history.flush(DEADLINE)
    folder.unlink()
    history.note([FULL])
    assert await ids(history) == [] and history.lost == 2


async def test_a_newer_ones_history_is_left_alone_and_said(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = make()
    first.note([FULL])
    await first.close(DEADLINE)
    with closing(connect(tmp_path, name=DATABASE)) as db:
        db.execute("UPDATE meta SET value = ?", (VERSION + 1,))
    second = make()
    second.note([FULL])
    await second.flush(DEADLINE)
    assert "newer" in caplog.text
    with pytest.raises(StoreError, match="newer"):
        await second.recent()


async def test_a_history_that_is_damaged_fails_its_readers_and_begins_again(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / DATABASE).write_bytes(b"rubbish" * 5000)
    history = make()
    with pytest.raises(StoreError):
        await history.recent()
    history.note([FULL])
    assert len(await ids(history)) == 1


async def test_a_reader_that_fails_says_so_within_its_time(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **more: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    history = make()
    history.note([FULL])
    await history.flush(DEADLINE)
    monkeypatch.setattr(history_sums, "recent", fail)
    with pytest.raises(StoreError, match="disk I/O error"):
        await history.recent()
