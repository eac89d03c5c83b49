"""The keeper's queue: who waits for it, what bounds it, how it ends."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from keeping import ANSWER, DEADLINE, Bench, Gate, candidate, judged_by
from made import NOW, call
from mitmcache import keeper as keeping
from mitmcache.reasons import Reason


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.keeper.close(DEADLINE)


async def test_an_offer_returns_before_any_work_is_done(bench: Bench) -> None:
    gate = Gate()
    offered = bench.offer(judged_by(gate.judge))
    assert not gate.reached.is_set() and bench.budget.used == offered.charged
    gate.opened.set()
    await bench.done()


async def test_an_offer_does_no_work_on_a_loop_that_starts_tasks_eagerly(bench: Bench) -> None:
    """mitmproxy's does."""
    gate = Gate()
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    try:
        bench.offer(judged_by(gate.judge))
        assert not gate.reached.is_set()
        gate.opened.set()
        await bench.done()
    finally:
        loop.set_task_factory(None)
    assert bench.tally.stored == 1


async def test_who_asks_for_a_key_in_work_waits_until_it_is_stored(bench: Bench) -> None:
    gate = Gate()
    offered = bench.offer(judged_by(gate.judge))
    waiting = asyncio.create_task(bench.keeper.settled(offered.key, DEADLINE))
    await gate.wait()
    assert not waiting.done()
    gate.opened.set()
    await waiting
    assert await bench.shelf.get(offered.key)


async def test_who_asks_waits_for_all_that_was_offered_under_the_key(bench: Bench) -> None:
    gate = Gate()
    first = bench.offer(candidate("same"))
    bench.offer(judged_by(gate.judge, name="same", expires=NOW + 120))
    waiting = asyncio.create_task(bench.keeper.settled(first.key, DEADLINE))
    await gate.wait()
    assert first.key in bench.shelf.entries and not waiting.done()
    gate.opened.set()
    await waiting
    assert bench.shelf.entries[first.key].expires == NOW + 120


async def test_who_asks_for_a_key_that_is_dropped_is_let_go(bench: Bench) -> None:
    offered = bench.offer(candidate(body=b"{"))
    await bench.keeper.settled(offered.key, DEADLINE)
    assert bench.tally.dropped.total() == 1


async def test_nobody_waits_longer_than_asked_or_for_another_key(bench: Bench) -> None:
    gate = Gate()
    offered = bench.offer(judged_by(gate.judge))
    await gate.wait()
    await asyncio.wait_for(bench.keeper.settled(offered.key, 0.01), DEADLINE)
    await asyncio.wait_for(bench.keeper.settled("f" * 64, DEADLINE), DEADLINE / 2)
    await asyncio.wait_for(bench.keeper.drain(0.01), DEADLINE)
    assert bench.budget.used == offered.charged
    gate.opened.set()
    await bench.done()


async def test_the_queue_is_bounded_and_what_is_over_is_counted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "MAX_WAITING", 2)
    gate = Gate()
    bench.offer(judged_by(gate.judge, name="in work"))
    await gate.wait()
    offered = [bench.offer(candidate(str(at))) for at in range(4)]
    assert bench.tally.dropped == {Reason.QUEUE_FULL: 2}
    assert bench.budget.used == 3 * len(ANSWER)
    await asyncio.wait_for(bench.keeper.settled(offered[3].key, DEADLINE), DEADLINE / 2)
    gate.opened.set()
    await bench.done()
    assert [made.key in bench.shelf.entries for made in offered] == [True, True, False, False]
    assert (bench.tally.stored, bench.budget.used) == (3, 0)


async def test_a_key_that_comes_again_is_waited_for_again(bench: Bench) -> None:
    gate = Gate()
    bench.offer(candidate())
    await bench.done()
    offered = bench.offer(judged_by(gate.judge))
    waiting = asyncio.create_task(bench.keeper.settled(offered.key, DEADLINE))
    await gate.wait()
    assert not waiting.done()
    gate.opened.set()
    await waiting


async def test_what_is_offered_after_the_end_is_counted_and_paid_back(bench: Bench) -> None:
    await bench.keeper.close(DEADLINE)
    bench.offer(candidate())
    await bench.done()
    assert (bench.tally.dropped, bench.budget.used) == ({Reason.STORE_ERROR: 1}, 0)


def test_no_word_of_request_or_reply_is_written_to_logs() -> None:
    assert "answer" not in repr(candidate()) and "m-2" not in repr(
        candidate(made=call(b'{"model":"m-2"}')).call
    )


async def test_after_a_rest_it_works_again(bench: Bench) -> None:
    await bench.done()
    for at in range(3):
        bench.offer(candidate(str(at)))
        await bench.done()
    assert (bench.tally.stored, bench.budget.used) == (3, 0)


async def test_closing_finishes_what_waits(bench: Bench) -> None:
    for at in range(5):
        bench.offer(candidate(str(at)))
    await bench.keeper.close(DEADLINE)
    assert (bench.tally.stored, bench.budget.used) == (5, 0)


async def test_closing_in_time_drops_what_still_waits_and_lets_its_askers_go(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    bench.offer(judged_by(gate.judge, name="in work"))
    await gate.wait()
    offered = [bench.offer(candidate(str(at))) for at in range(3)]
    waiting = asyncio.create_task(bench.keeper.settled(offered[2].key, DEADLINE))
    await asyncio.wait_for(bench.keeper.close(0.01), DEADLINE)
    await asyncio.wait_for(waiting, DEADLINE / 2)
    assert bench.tally.dropped == {Reason.QUEUE_FULL: 3}
    gate.opened.set()
    await bench.done()
    assert (bench.tally.stored, bench.budget.used, caplog.records) == (1, 0, [])
