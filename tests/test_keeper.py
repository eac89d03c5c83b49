import gzip
import logging
import zlib
from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio

from keeping import ANSWER, DEADLINE, Bench, candidate, fail, judged_by
from made import DIALECT, JSON, NOW, call
from mitmcache.cache.record import decode
from mitmcache.exchange import Reply
from mitmcache.keeper import Candidate
from mitmcache.reasons import Reason


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.keeper.close(DEADLINE)


async def test_an_admitted_reply_is_stored_as_a_record(bench: Bench) -> None:
    offered = bench.offer(candidate())
    await bench.done()
    entry = bench.shelf.entries[offered.key]
    record = decode(bench.shelf.blob(offered.key), offered.key)
    assert (record.provider, record.dialect, record.model) == ("made", "made.chat", "m-1")
    assert (record.created, record.expires, record.status) == (NOW, NOW + 60, 200)
    assert (record.headers, record.body) == (JSON, ANSWER)
    assert (entry.expires, entry.group) == (NOW + 60, offered.likeness.group)
    assert "model" in orjson.loads(entry.shape)
    assert (bench.tally.stored, bench.tally.dropped.total(), bench.budget.used) == (1, 0, 0)


async def test_a_body_is_kept_without_its_coding(bench: Bench) -> None:
    packed = gzip.compress(ANSWER)
    reply = Reply(200, (*JSON, ("content-encoding", "gzip")), packed)
    offered = bench.offer(candidate(reply=reply, charged=len(packed)))
    await bench.done()
    record = decode(bench.shelf.blob(offered.key), offered.key)
    assert (record.headers, record.body, bench.budget.used) == (JSON, ANSWER, 0)


async def test_what_was_judged_is_not_judged_again(bench: Bench) -> None:
    offered = bench.offer(judged_by(fail, judged=True))
    await bench.done()
    assert offered.key in bench.shelf.entries


async def test_a_header_that_is_not_utf_8_can_be_kept(bench: Bench) -> None:
    headers = (*JSON, ("content-disposition", "attachment; filename=\udcff"))
    offered = bench.offer(candidate(reply=Reply(200, headers, ANSWER)))
    await bench.done()
    assert decode(bench.shelf.blob(offered.key), offered.key).headers == headers


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


async def test_requests_are_stored_as_shapes_without_a_word(bench: Bench) -> None:
    made = call(b'{"prompt":"launch code"}')
    offered = bench.offer(candidate(made=made))
    await bench.done()
    entry = bench.shelf.entries[offered.key]
    assert b"launch" not in bench.shelf.blob(offered.key) + entry.shape
