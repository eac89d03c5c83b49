import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from exchanges.openai import CHAT_STREAM
from large.test_work import AUDIO, EVENTS, KEY, job
from mitmcache.cache import record
from mitmcache.cache.record import Meta
from mitmcache.cache.tap import Budget, Tap
from mitmcache.exchange import Headers, Reply
from mitmcache.large.desk import Desk
from mitmcache.large.spool import Spool
from mitmcache.reasons import Reason
from mitmcache.store.base import LARGE, Staged

DEADLINE = 60.0
NOISE = os.urandom(LARGE + 1)
FLAGS = {"done_optional": False, "clean_end": True, "judged": False}


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.budget = Budget(1 << 30)
        self.desk = Desk(lambda: folder / os.urandom(8).hex(), self.budget, 64 << 20)

    def meta(self, dialect: str) -> Meta:
        return job(self.folder.parent, b"", (), dialect).meta

    async def record(
        self, body: bytes, headers: Headers, dialect: str, *, spooled: bool
    ) -> bytes | Staged | Reason:
        spool: bytes | Spool | None = None
        if spooled:
            tap = Tap(1 << 30, self.budget, memory=0, spool=self.desk.spools.open)
            tap(body)
            spool = tap.take()
            assert isinstance(spool, Spool)
        reply = Reply(200, headers, b"" if spooled else body)
        outcome = await self.desk.record(self.meta(dialect), reply, spool, **FLAGS)  # type: ignore[arg-type]
        if isinstance(spool, Spool) and (removing := spool.drop()):
            await asyncio.wait_for(removing, DEADLINE)
        return outcome

    @property
    def files(self) -> list[Path]:
        return list(self.folder.iterdir())


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    folder = tmp_path / "staging"
    folder.mkdir()
    made = Bench(folder)
    yield made
    await made.desk.close(DEADLINE)


@pytest.mark.parametrize("spooled", [True, False])
async def test_a_large_record_is_a_file_and_the_only_one_that_is_left(bench: Bench, spooled: bool) -> None:
    staged = await bench.record(NOISE, AUDIO, "openai.audio.speech", spooled=spooled)
    assert isinstance(staged, Staged) and bench.files == [staged.path]
    blob = staged.path.read_bytes()
    assert len(blob) == staged.size and record.decode(blob, KEY).body == NOISE


@pytest.mark.parametrize("spooled", [True, False])
async def test_a_record_that_became_small_is_like_any_other(bench: Bench, spooled: bool) -> None:
    blob = await bench.record(CHAT_STREAM.answer, EVENTS, "openai.chat", spooled=spooled)
    assert isinstance(blob, bytes) and record.decode(blob, KEY).body == CHAT_STREAM.answer
    assert bench.files == []


@pytest.mark.parametrize("spooled", [True, False])
async def test_what_is_refused_leaves_nothing(bench: Bench, spooled: bool) -> None:
    assert await bench.record(b"data: 1\n\n", EVENTS, "openai.chat", spooled=spooled) is Reason.INCOMPLETE
    assert bench.files == []


async def test_what_fails_is_told_without_a_word_of_it(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    assert await bench.record(b"secret", EVENTS, "no.such", spooled=True) is Reason.STORE_ERROR
    assert "could not be kept" in caplog.text and "secret" not in caplog.text
    assert bench.files == []


async def test_a_spool_that_failed_is_not_worked_on(bench: Bench) -> None:
    tap = Tap(1 << 30, bench.budget, memory=0, spool=bench.desk.spools.open)
    tap(b"1")
    spool = tap.take()
    assert isinstance(spool, Spool)
    spool.path = bench.folder / "none" / "such"
    meta = bench.meta("openai.chat")
    assert await bench.desk.record(meta, Reply(200, EVENTS, b""), spool, **FLAGS) is Reason.STORE_ERROR


async def test_closing_ends_what_is_worked_on(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(tmp_path / "begun")
    program = tmp_path / "hangs"
    program.write_text(f"#!/bin/sh\necho 1 > {tmp_path / 'begun'}\nexec sleep 600\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    working = asyncio.create_task(bench.record(b"1", EVENTS, "openai.chat", spooled=True))
    await asyncio.wait_for(asyncio.to_thread((tmp_path / "begun").read_text), DEADLINE)
    await asyncio.wait_for(bench.desk.close(DEADLINE), DEADLINE)
    assert await asyncio.wait_for(working, DEADLINE) is Reason.STORE_ERROR
    assert (bench.files, caplog.text) == ([], "")
