"""The keeper's lane for what is too large for memory."""

import asyncio
import gzip
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from exchanges.openai import CHAT_STREAM
from keeping import Shelf, candidate
from made import CALL, NOW
from mitmcache import keeper as keeping
from mitmcache.cache.record import read_head
from mitmcache.cache.tap import Budget
from mitmcache.exchange import Headers, Reply
from mitmcache.keeper import Candidate, Keeper
from mitmcache.large.spool import Spool
from mitmcache.providers.openai import OPENAI
from mitmcache.providers.openai_chat import CHAT
from mitmcache.reasons import Reason
from mitmcache.store.base import Staged
from mitmcache.tally import Tally

DEADLINE = 100.0
MEMORY = 1000
EVENTS: Headers = (("content-type", "text/event-stream"),)
ASKED = replace(CALL, provider=OPENAI, dialect=CHAT, host="api.openai.com")
NOISE = os.urandom(2 * MEMORY).hex().encode()
STREAM = b": " + NOISE + b"\n\n" + CHAT_STREAM.answer


class Bench:
    def __init__(self, folder: Path, limit: int = 1 << 20) -> None:
        self.folder = folder
        self.shelf = Shelf()
        self.tally = Tally()
        self.budget = Budget(1 << 20)
        self.keeper = Keeper(self.shelf, self.tally, self.budget, limit, lambda: folder / os.urandom(8).hex())

    def heard(self, name: str, body: bytes, **changes: Any) -> Candidate:
        """Offers it as Capture does after a stream."""
        tap = self.keeper.tap()
        tap(body)
        got = tap.take()
        assert isinstance(got, Spool)
        return self.offer(
            candidate(name, ASKED, reply=Reply(200, EVENTS, b""), charged=0, spool=got, **changes)
        )

    def offer(self, made: Candidate) -> Candidate:
        self.keeper.offer(made)
        return made

    def whole(self, name: str, body: bytes, headers: Headers = EVENTS) -> Candidate:
        """Offers what is in memory."""
        assert self.budget.take(len(body))
        return self.offer(candidate(name, ASKED, reply=Reply(200, headers, body), charged=len(body)))

    async def done(self) -> None:
        await self.keeper.drain(DEADLINE)
        async with asyncio.timeout(DEADLINE):
            while len(self.files) > len(self.shelf.entries):  # noqa: ASYNC110 - a spool is removed in a thread
                await asyncio.sleep(0.001)

    @property
    def files(self) -> list[str]:
        return [path.name for path in self.folder.iterdir()]


@pytest_asyncio.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    for module in (keeping, sys.modules["mitmcache.large.desk"]):
        monkeypatch.setattr(module, "LARGE", MEMORY)
    made = Bench(tmp_path)
    yield made
    await made.keeper.close(DEADLINE)


async def test_a_stream_that_was_spooled_is_stored_as_a_file(bench: Bench) -> None:
    offered = bench.heard("a", STREAM, host="h", tags=("t",), generation=7, expires=NOW + 9)
    await bench.done()
    entry = bench.shelf.entries[offered.key]
    assert isinstance(entry.blob, Staged)
    head = read_head(entry.blob.path.read_bytes())
    assert (head.meta.key, head.size, head.meta.about) == (offered.key, len(STREAM), entry.about)
    assert (entry.about.host, entry.about.tags, entry.about.generation, entry.expires) == (
        "h",
        ("t",),
        7,
        NOW + 9,
    )
    assert entry.group and entry.shape
    assert (bench.tally.stored, bench.tally.dropped.total(), bench.budget.used) == (1, 0, 0)
    assert bench.files == [entry.blob.path.name]


async def test_a_body_that_turns_out_too_large_when_it_is_decoded_goes_the_same_way(bench: Bench) -> None:
    packed = gzip.compress(b": " + b"1" * 2 * MEMORY + b"\n\n" + CHAT_STREAM.answer)
    assert len(packed) < MEMORY
    offered = bench.whole("a", packed, (*EVENTS, ("content-encoding", "gzip")))
    large = bench.whole("b", STREAM)
    await bench.done()
    assert bench.shelf.entries.keys() == {offered.key, large.key}
    assert bench.budget.used == 0


async def test_what_is_not_admitted_is_counted_and_leaves_no_file(bench: Bench) -> None:
    bench.heard("a", STREAM[:-14])
    bench.heard("b", STREAM[:-14], clean_end=False)
    await bench.done()
    assert (bench.tally.dropped, bench.files, bench.budget.used) == ({Reason.INCOMPLETE: 2}, [], 0)


async def test_what_is_decoded_larger_than_allowed_is_dropped(bench: Bench, tmp_path: Path) -> None:
    packed = gzip.compress(b"1" * (2 << 20))
    bench.whole("a", packed, (*EVENTS, ("content-encoding", "gzip")))
    await bench.done()
    assert (bench.tally.dropped, bench.files) == ({Reason.TOO_LARGE: 1}, [])


async def test_a_small_answer_does_not_wait_for_a_large_one(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = hanging(bench, tmp_path_factory, monkeypatch)
    small = bench.whole("small", CHAT_STREAM.answer[:0] + b"data: [DONE]\n\n")
    await asyncio.wait_for(bench.keeper.settled(small.key, DEADLINE), DEADLINE / 2)
    waiting = asyncio.create_task(bench.keeper.settled(large.key, DEADLINE))
    await asyncio.sleep(0)
    assert not waiting.done()
    await bench.keeper.close(0.1)
    await asyncio.wait_for(waiting, DEADLINE / 2)


async def test_closing_drops_what_is_worked_on_and_what_waits(
    bench: Bench,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hanging(bench, tmp_path_factory, monkeypatch)
    bench.heard("b", STREAM)
    await asyncio.wait_for(bench.keeper.close(0.1), DEADLINE)
    await bench.done()
    assert bench.tally.dropped.total() == 2 and bench.tally.stored == 0
    assert (bench.files, bench.budget.used, caplog.records) == ([], 0, [])


def hanging(bench: Bench, folders: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Candidate:
    """A large answer whose work never ends."""
    program = folders.mktemp("program") / "hangs"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    return bench.heard("a", STREAM)


async def test_a_store_without_room_for_a_file_is_counted(bench: Bench) -> None:
    """Its file is the store's to remove."""
    bench.shelf.room = False
    bench.heard("a", STREAM)
    await bench.keeper.drain(DEADLINE)
    assert bench.tally.dropped == {Reason.QUEUE_FULL: 1}
