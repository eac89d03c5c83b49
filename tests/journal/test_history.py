import asyncio
import os
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from journal.conftest import DEADLINE, FULL, NOW, Make, files, ids
from mitmcache.journal import history as module
from mitmcache.journal.history import MAX_WAITING, Filter
from mitmcache.journal.history_tables import DATABASE
from mitmcache.store.schema import connect


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
    assert history._batches.working
    await asyncio.wait_for(history._batches.working, DEADLINE)
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


async def test_switching_it_off_leaves_what_is_kept_and_what_was_noted(make: Make) -> None:
    history = make()
    history.note([replace(FULL, id="a")])
    await history.flush(DEADLINE)
    history.note([replace(FULL, id="b")])
    history.kept = 0
    assert await ids(history) == ["b", "a"]


async def test_what_ends_after_the_end_is_not_kept_and_not_complained_of(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    history = make()
    await history.close(DEADLINE)
    history.note([FULL])
    await history.close(DEADLINE)
    assert history._batches.working is None and caplog.text == ""


async def test_a_burst_is_kept_as_far_as_there_is_room(make: Make) -> None:
    history = make(most=2 * MAX_WAITING)
    history.note([replace(FULL, id=str(n)) for n in range(MAX_WAITING + 5)])
    await history.flush(DEADLINE)
    assert history.lost == 5
    assert len(await history.recent(10_000)) == module.MOST


WRITER = """
import asyncio, sys
from pathlib import Path
from dataclasses import replace
from journal.events import event
from mitmcache.journal.history import History
from patience import be_patient

async def main():
    history = History(Path(sys.argv[1]), float("inf"))
    for n in range(50):
        history.note([event(id=f"other-{n}", began=999990.0)])
        await history.flush(60)
    await history.close(60)
    print(history.lost)

be_patient()
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
        out, _ = await asyncio.wait_for(other.communicate(), 100)
    finally:
        if other.returncode is None:
            other.kill()
    assert (out.strip(), history.lost) == (b"0", 0)
    found = await ids(history)
    assert len(found) == 100 == len(set(found))
    [sums] = await history.sums(NOW - 3600, NOW)
    assert sums.ledgers.billed.calls == 100
