import asyncio
import gzip
import logging
import threading
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import NoReturn

import orjson
import pytest
import pytest_asyncio

from made import CALL, DIALECT, JSON, NOW, call, read
from mitmcache import keeper as keeping
from mitmcache.cache import key as keys
from mitmcache.cache.record import decode
from mitmcache.cache.tap import Budget
from mitmcache.exchange import Call, Reply
from mitmcache.keeper import Candidate, Keeper
from mitmcache.providers.base import Json
from mitmcache.reasons import Reason
from mitmcache.store.base import Entry, StoreError
from mitmcache.tally import Tally

ANSWER = b'{"answer":"yes"}'
DEADLINE = 5.0
"""Seconds; only a test that fails waits so long."""


class Shelf:
    """A Store that keeps everything, or refuses, or fails."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.room = True
        self.fails = False

    async def get(self, key: str) -> bytes | None:
        entry = self.entries.get(key)
        return entry.blob if entry else None

    def put(self, entry: Entry) -> bool:
        if self.fails:
            raise StoreError("broken")
        if self.room:
            self.entries[entry.key] = entry
        return self.room

    async def delete(self, key: str) -> None:
        self.entries.pop(key, None)

    async def close(self, deadline: float) -> None:
        self.entries.clear()


class Bench:
    """A keeper with all that it works with."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.tally = Tally()
        self.budget = Budget(10_000)
        self.keeper = Keeper(self.shelf, self.tally, self.budget, 1000, b"s" * 32)

    def offer(self, made: Candidate) -> Candidate:
        """Offers it as Capture does: what it holds is taken from the budget first."""
        assert self.budget.take(made.charged)
        self.keeper.offer(made)
        return made

    async def done(self) -> None:
        await self.keeper.drain(DEADLINE)


class Gate:
    """A judge that waits for a word from the test; it works in the keeper's thread."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def judge(self, document: Json) -> Reason | None:
        self.reached.set()
        assert self.opened.wait(DEADLINE)
        return None

    async def wait(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, DEADLINE)


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.keeper.close(DEADLINE)


def candidate(name: str = "a", made: Call = CALL, body: bytes = ANSWER, **changes: object) -> Candidate:
    made_body = read(made)
    plain = Candidate(
        key=keys.digest((("name", name.encode()),)),
        call=made,
        model="m-1",
        parts=keys.ingredients(made, made_body, "scope"),
        body=made_body,
        reply=Reply(200, (*JSON, ("set-cookie", "a=1")), body),
        created=NOW,
        expires=NOW + 60,
        charged=len(body),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def judged_by(judge: object, **changes: object) -> Candidate:
    return candidate(made=replace(CALL, dialect=replace(DIALECT, judge=judge)), **changes)  # type: ignore[arg-type]


def fail(document: Json) -> NoReturn:
    raise RuntimeError("no such thing")


async def test_an_admitted_reply_is_stored_as_a_record(bench: Bench) -> None:
    offered = bench.offer(candidate())
    await bench.done()
    entry = bench.shelf.entries[offered.key]
    record = decode(entry.blob, offered.key)
    assert (record.provider, record.dialect, record.model) == ("made", "made.chat", "m-1")
    assert (record.created, record.expires, record.status) == (NOW, NOW + 60, 200)
    assert (record.headers, record.body) == (JSON, ANSWER)
    assert (entry.expires, entry.group) == (NOW + 60, keys.group(offered.parts))
    assert "model" in orjson.loads(entry.shape)
    assert (bench.tally.stored, bench.tally.dropped.total(), bench.budget.used) == (1, 0, 0)


async def test_a_body_is_kept_without_its_coding(bench: Bench) -> None:
    packed = gzip.compress(ANSWER)
    reply = Reply(200, (*JSON, ("content-encoding", "gzip")), packed)
    offered = bench.offer(candidate(reply=reply, charged=len(packed)))
    await bench.done()
    record = decode(bench.shelf.entries[offered.key].blob, offered.key)
    assert (record.headers, record.body, bench.budget.used) == (JSON, ANSWER, 0)


async def test_what_was_judged_is_not_judged_again(bench: Bench) -> None:
    offered = bench.offer(judged_by(fail, judged=True))
    await bench.done()
    assert offered.key in bench.shelf.entries


async def test_a_header_that_is_not_utf_8_can_be_kept(bench: Bench) -> None:
    headers = (*JSON, ("content-disposition", "attachment; filename=\udcff"))
    offered = bench.offer(candidate(reply=Reply(200, headers, ANSWER)))
    await bench.done()
    assert decode(bench.shelf.entries[offered.key].blob, offered.key).headers == headers


DROPS = [
    ("a refused status", candidate(reply=Reply(500, JSON, ANSWER)), Reason.STATUS),
    ("what is not JSON", candidate(reply=Reply(200, JSON, b"[no")), Reason.NOT_JSON),
    ("an error", candidate(body=b'{"error":1}'), Reason.ERROR),
    ("nothing", candidate(body=b""), Reason.EMPTY),
    ("a body over the limit", candidate(body=b"1" * 1001), Reason.TOO_LARGE),
    ("an unknown coding", candidate(reply=Reply(200, (("content-encoding", "x"),), ANSWER)), Reason.ENCODING),
    (
        "a stream that its client left",
        candidate(
            reply=Reply(200, (("content-type", "text/event-stream"),), b"data: maybe\n\n"), clean_end=False
        ),
        Reason.INCOMPLETE,
    ),
]


@pytest.mark.parametrize(("offered", "reason"), [pytest.param(*case[1:], id=case[0]) for case in DROPS])
async def test_what_is_not_kept_is_counted_and_paid_back(
    bench: Bench, offered: Candidate, reason: Reason
) -> None:
    bench.offer(offered)
    await bench.done()
    assert (bench.tally.dropped, bench.tally.stored) == ({reason: 1}, 0)
    assert (bench.shelf.entries, bench.budget.used) == ({}, 0)


async def test_a_stream_whose_end_was_heard_is_kept_though_its_client_left(bench: Bench) -> None:
    reply = Reply(200, (("content-type", "text/event-stream"),), b"data: end\n\n")
    offered = bench.offer(candidate(reply=reply, clean_end=False))
    await bench.done()
    assert offered.key in bench.shelf.entries


async def test_a_coded_stream_that_its_client_left_after_its_end_is_kept(bench: Bench) -> None:
    """The coding's own end comes after the stream's, and so it is missing."""
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(b"data: end\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    headers = (("content-type", "text/event-stream"), ("content-encoding", "gzip"))
    left, ended = (
        candidate(str(clean), reply=Reply(200, headers, packed), clean_end=clean) for clean in (False, True)
    )
    bench.offer(left)
    bench.offer(ended)
    await bench.done()
    assert list(bench.shelf.entries) == [left.key]
    assert bench.tally.dropped == {Reason.ENCODING: 1}


async def test_a_store_without_room_is_counted(bench: Bench) -> None:
    bench.shelf.room = False
    bench.offer(candidate())
    await bench.done()
    assert (bench.tally.dropped, bench.budget.used) == ({Reason.QUEUE_FULL: 1}, 0)


@pytest.mark.parametrize("broken", ["judge", "store"])
async def test_a_failure_is_counted_told_and_does_not_stop_the_next(
    bench: Bench, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench.shelf.fails = broken == "store"
    first = bench.offer(judged_by(fail if broken == "judge" else DIALECT.judge, name="first"))
    await bench.keeper.settled(first.key, DEADLINE)
    bench.shelf.fails = False
    second = bench.offer(candidate("second"))
    await bench.done()
    assert bench.tally.dropped == {Reason.STORE_ERROR: 1}
    assert (list(bench.shelf.entries), bench.budget.used) == ([second.key], 0)
    assert [(told.levelno, "could not be kept" in told.message) for told in caplog.records] == [
        (logging.WARNING, True)
    ]
    assert "answer" not in caplog.records[0].getMessage()


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


async def test_requests_are_stored_as_shapes_without_a_word(bench: Bench) -> None:
    made = call(b'{"prompt":"launch code"}')
    offered = bench.offer(candidate(made=made))
    await bench.done()
    entry = bench.shelf.entries[offered.key]
    assert b"launch" not in entry.blob + entry.shape
