import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mitmcache.store import readers
from mitmcache.store.base import Large, StoreError
from mitmcache.store.readers import THREADS, Readers
from mitmcache.store.schema import open_database


class Gate:
    """A job that does not end before `go_on` is set: a disk that hangs."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.ran: list[int] = []

    def __call__(self, db: sqlite3.Connection) -> int:
        assert self.go_on.wait(60)
        self.ran.append(1)
        return 1


@pytest.fixture
async def reading(tmp_path: Path) -> AsyncIterator[Readers]:
    db, _ = open_database(tmp_path)
    made = Readers(tmp_path)
    yield made
    await made.close(60)
    db.close()


def one(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT 1").fetchone()[0])


async def test_a_job_runs_off_the_loop_and_its_answer_comes_back(reading: Readers) -> None:
    assert await reading.run(one) == 1
    assert await reading.run(lambda db: threading.get_ident()) != threading.get_ident()


async def test_a_job_cannot_write(reading: Readers) -> None:
    with pytest.raises(StoreError, match="readonly"):
        await reading.run(lambda db: db.execute("DELETE FROM entries"))


def fails_in_sqlite(db: sqlite3.Connection) -> None:
    db.execute("SELECT * FROM nowhere")


def fails_on_the_disk(db: sqlite3.Connection) -> None:
    raise OSError(5, "Input/output error", "secret name")


def fails_oddly(db: sqlite3.Connection) -> None:
    "\ud800".encode()


@pytest.mark.parametrize("job", [fails_in_sqlite, fails_on_the_disk, fails_oddly])
async def test_whatever_fails_is_a_store_error_and_the_next_job_runs(
    reading: Readers, job: Callable[[sqlite3.Connection], None]
) -> None:
    for _ in range(2 * THREADS):
        with pytest.raises(StoreError) as error:
            await reading.run(job)
        assert "secret name" not in str(error.value)
    assert await reading.run(one) == 1


async def test_reads_of_a_hanging_disk_are_bounded_even_when_their_callers_have_gone(
    reading: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "MAX_WAITING", 5)
    gate = Gate()
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reading.run(gate), 0.001)
    with pytest.raises(StoreError, match="too many"):
        await reading.run(one)
    gate.go_on.set()
    await reading.close(60)
    assert len(gate.ran) == 5


async def test_close_waits_no_longer_than_its_deadline_for_a_hanging_read(reading: Readers) -> None:
    gate = Gate()
    caller = asyncio.create_task(reading.run(gate))
    await asyncio.sleep(0)
    await reading.close(0.01)
    assert not caller.done()
    gate.go_on.set()
    assert await caller == 1
    with pytest.raises(StoreError, match="closed"):
        await reading.run(one)


async def test_a_file_that_its_caller_has_gone_away_from_is_closed(reading: Readers, tmp_path: Path) -> None:
    gate = Gate()
    file = (tmp_path / "large").open("w+b")

    def opened(db: sqlite3.Connection) -> Large:
        gate(db)
        return Large(file, 1)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reading.run(opened), 0.001)
    gate.go_on.set()
    await reading.close(60)
    await asyncio.sleep(0)
    assert file.closed


async def test_so_is_one_whose_caller_leaves_as_it_comes(
    reading: Readers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = (tmp_path / "large").open("w+b")
    end, left = reading._end, asyncio.Event()

    def ends(ended: readers._Reading) -> None:
        end(ended)
        caller.cancel()
        left.set()

    monkeypatch.setattr(reading, "_end", ends)
    caller = asyncio.create_task(reading.run(lambda db: Large(file, 1)))
    await left.wait()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert file.closed


async def test_without_threads_there_is_no_read_and_later_there_is(
    reading: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_more)
        with pytest.raises(StoreError, match="new thread"):
            await reading.run(one)
    assert await reading.run(one) == 1


async def test_the_threads_end_with_it(reading: Readers) -> None:
    gate, others = Gate(), threading.enumerate()
    jobs = [asyncio.create_task(reading.run(gate)) for _ in range(THREADS + 3)]
    await asyncio.sleep(0)
    mine = [each for each in threading.enumerate() if each not in others]
    assert len(mine) == THREADS
    gate.go_on.set()
    await reading.close(60)
    assert await asyncio.gather(*jobs) == [1] * len(jobs)
    for thread in mine:
        await asyncio.to_thread(thread.join, 60)
        assert not thread.is_alive()
