import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from queue import SimpleQueue

import pytest

from mitmcache.store.workers import Busy, Workers

ADDON = Path(__file__).parents[2] / "addon"


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    made = Workers(2, "test-worker")
    yield made
    await made.close(60)


def blocked(
    gate: threading.Event, value: str = "", begun: threading.Semaphore | None = None
) -> Callable[[], str]:
    def work() -> str:
        if begun:
            begun.release()
        gate.wait(60)
        return value

    return work


async def test_work_is_done_in_another_thread(workers: Workers) -> None:
    assert await workers.run(threading.get_ident) != threading.get_ident()


async def test_what_the_work_raises_is_raised(workers: Workers) -> None:
    with pytest.raises(ZeroDivisionError):
        await workers.run(lambda: 1 // 0)
    assert await workers.run(lambda: "on") == "on"


async def test_there_are_no_more_threads_than_were_asked_for_and_none_without_work() -> None:
    name = "a name of their own"  # those of other tests may be ending still
    workers = Workers(2, name)
    assert not [thread for thread in threading.enumerate() if thread.name == name]
    await asyncio.gather(*(workers.run(lambda: None) for _ in range(20)))
    assert len([thread for thread in threading.enumerate() if thread.name == name]) <= 2
    await workers.close(60)


async def test_who_has_no_patience_is_told_that_all_are_busy(workers: Workers) -> None:
    gate = threading.Event()
    running = [asyncio.ensure_future(workers.run(blocked(gate, "done"))) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await workers.run(lambda: None, patience=0.01)
    waiting = asyncio.ensure_future(workers.run(lambda: "later"))
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*running, waiting) == ["done", "done", "later"]


async def test_what_nobody_waits_for_any_more_is_handed_over_and_its_thread_taken_until_then(
    workers: Workers,
) -> None:
    gate, given, begun = threading.Event(), SimpleQueue[str](), threading.Semaphore(0)
    for _ in range(2):
        work = blocked(gate, "late", begun)
        running = asyncio.ensure_future(workers.run(work, unwanted=given.put))
        assert await asyncio.to_thread(begun.acquire, timeout=60)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    with pytest.raises(Busy):
        await workers.run(lambda: None, patience=0.01)
    gate.set()
    assert [given.get(timeout=60), given.get(timeout=60)] == ["late", "late"]
    assert await workers.run(lambda: "on", patience=60) == "on"


async def test_work_that_fails_when_nobody_waits_any_more_is_forgotten(workers: Workers) -> None:
    gate, begun = threading.Event(), threading.Event()
    given: list[str] = []

    def fails() -> str:
        begun.set()
        gate.wait(60)
        raise OSError

    running = asyncio.ensure_future(workers.run(fails, unwanted=given.append))
    assert await asyncio.to_thread(begun.wait, 60)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    gate.set()
    assert await workers.run(lambda: "on") == "on"
    await workers.close(60)
    assert given == []


async def test_closing_waits_for_what_runs_but_no_longer_than_told() -> None:
    workers, gate = Workers(1, "test-worker"), threading.Event()
    running = asyncio.ensure_future(workers.run(blocked(gate, "done")))
    await asyncio.sleep(0)
    await workers.close(0.01)
    assert not running.done()
    gate.set()
    assert await running == "done"
    with pytest.raises(Busy):
        await workers.run(lambda: None)


async def test_an_idle_thread_keeps_nothing_of_its_last_work(workers: Workers) -> None:
    import gc
    import weakref

    class Big:
        def method(self) -> None: ...

    work = Big()
    held = weakref.ref(work)
    await workers.run(work.method)
    del work
    async with asyncio.timeout(60):
        while held():
            gc.collect()
            await asyncio.sleep(0.01)


def test_a_process_does_not_wait_for_a_thread_that_hangs() -> None:
    code = """
import asyncio, threading
from mitmcache.store.workers import Workers
async def main():
    workers = Workers(1, "w")
    running = asyncio.ensure_future(workers.run(threading.Event().wait))
    await asyncio.sleep(0.05)
    await workers.close(0.05)
    running.cancel()
asyncio.run(main())
print("ended")
"""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ADDON)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.stdout, ran.stderr) == ("ended\n", "")
