import asyncio
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from journal.events import event
from mitmcache.exchange import Usage
from mitmcache.journal import history as module
from mitmcache.journal import history_sums
from mitmcache.journal.event import Cost
from mitmcache.journal.history import MAX_WAITING, Filter, History
from mitmcache.journal.history_tables import DATABASE, VERSION
from mitmcache.store.base import StoreError
from mitmcache.store.schema import connect

DEADLINE = 10.0
NOW = 1_000_000.0
FULL = event(began=NOW - 10, usage=Usage(10, 5), cost=Cost(1, 1, 2, 0))

type Make = Callable[..., History]


@pytest_asyncio.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    made: list[History] = []

    def history(folder: Path = tmp_path, kept: float = 86400.0, most: int = 1000) -> History:
        made.append(History(folder, kept, now=lambda: NOW, most=most))
        return made[-1]

    yield history
    for each in made:
        await each.close(DEADLINE)


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def ids(history: History) -> list[str]:
    return [each.event.id for each in await history.recent()]


async def test_what_was_noted_is_there_at_once_for_whoever_asks(make: Make) -> None:
    history = make()
    history.note([replace(FULL, id="a"), replace(FULL, id="b", word="HIT", dialled=False)])
    assert await ids(history) == ["b", "a"]
    assert await history.call("a") == replace(FULL, id="a")
    [sums] = await history.sums(NOW - 3600, NOW)
    assert (sums.ledgers.billed.dollars, sums.ledgers.saved.dollars) == (2, 2)
    assert (await history.latencies(NOW - 3600, NOW))["hit"].quantile(0.5) is not None
    assert await history.recent(filter=Filter(word="STALE")) == []


async def test_the_sums_are_not_kept_by_verdict(make: Make) -> None:
    with pytest.raises(ValueError, match="verdict"):
        await make().sums(0, NOW, filter=Filter(word="HIT"))


async def test_it_is_written_without_being_asked(make: Make, tmp_path: Path) -> None:
    history = make()
    history.note([FULL])
    assert history._writing
    await asyncio.wait_for(history._writing, DEADLINE)
    with closing(connect(tmp_path, read_only=True, name=DATABASE)) as db:
        assert db.execute("SELECT count(*) FROM calls").fetchone() == (1,)


async def test_it_outlasts_a_restart(make: Make) -> None:
    first = make()
    first.note([replace(FULL, id="a")])
    await first.close(DEADLINE)
    second = make()
    second.note([replace(FULL, id="b")])
    assert await ids(second) == ["b", "a"]


async def test_before_the_first_call_everything_is_empty(make: Make, tmp_path: Path) -> None:
    history = make()
    assert await history.recent() == [] and await history.call("a") is None
    assert await history.sums(0, NOW, "model") == []
    assert (await history.latencies(0, NOW))["miss"].quantile(0.5) is None
    assert files(tmp_path) == []


async def test_old_calls_and_too_many_go_and_their_sums_stay(make: Make) -> None:
    history = make(kept=100.0, most=2)
    history.note([replace(FULL, id=str(n), began=NOW - 99 + n) for n in range(3)])
    history.note([replace(FULL, id="old", began=NOW - 101)])
    assert set(await ids(history)) == {"2"}
    [sums] = await history.sums(NOW - 3600, NOW)
    assert sums.ledgers.billed.calls == 4


async def test_nothing_is_kept_where_nobody_wants_it(make: Make, tmp_path: Path) -> None:
    history = make(kept=0)
    history.note([FULL])
    await history.flush(DEADLINE)
    assert files(tmp_path) == []
    history.kept = float("inf")
    history.note([replace(FULL, began=0.0)])
    assert len(await ids(history)) == 1


async def test_a_burst_is_kept_as_far_as_there_is_room(make: Make) -> None:
    history = make(most=2 * MAX_WAITING)
    history.note([replace(FULL, id=str(n)) for n in range(MAX_WAITING + 5)])
    await history.flush(DEADLINE)
    assert history.lost == 5
    assert len(await history.recent(10_000)) == module.MOST


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


WRITER = """
import asyncio, sys
from pathlib import Path
from dataclasses import replace
from journal.events import event
from mitmcache.journal.history import History

async def main():
    history = History(Path(sys.argv[1]), float("inf"))
    for n in range(50):
        history.note([event(id=f"other-{n}", began=999990.0)])
        await history.flush(10)
    await history.close(10)
    print(history.lost)

asyncio.run(main())
"""


async def test_two_processes_keep_one_history(make: Make, tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = (sys.executable, "-c", WRITER, str(tmp_path))
    other = await asyncio.create_subprocess_exec(*command, env=environ, stdout=asyncio.subprocess.PIPE)
    try:
        history = make(kept=1e9)
        for n in range(50):
            history.note([replace(FULL, id=f"mine-{n}")])
            await history.flush(DEADLINE)
        out, _ = await asyncio.wait_for(other.communicate(), 30)
    finally:
        if other.returncode is None:
            other.kill()
    assert (out.strip(), history.lost) == (b"0", 0)
    found = await ids(history)
    assert len(found) == 100 == len(set(found))
    [sums] = await history.sums(NOW - 3600, NOW)
    assert sums.ledgers.billed.calls == 100


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
