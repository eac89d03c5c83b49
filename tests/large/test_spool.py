import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mitmcache.cache.tap import Budget, Tap
from mitmcache.large import spool as spooling
from mitmcache.large.spool import PIECE, Spool, Spools

DEADLINE = 60.0


class Bench:
    def __init__(self, folder: Path, room: int = 1 << 30, budget: int = 1 << 30) -> None:
        self.folder = folder
        self.budget = Budget(budget)
        self.spools = Spools(lambda: folder / os.urandom(4).hex(), self.budget, room)

    def tap(self, limit: int = 1 << 30, memory: int = 10) -> Tap[Spool]:
        return Tap(limit, self.budget, memory=memory, spool=self.spools.open)

    @property
    def files(self) -> list[str]:
        return [path.name for path in self.folder.iterdir()]

    @property
    def owed(self) -> tuple[int, int]:
        return self.budget.used, self.spools.room.used


@pytest_asyncio.fixture(params=[asyncio.eager_task_factory, None], ids=["eager", "plain"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    asyncio.get_running_loop().set_task_factory(request.param)
    made = Bench(tmp_path)
    yield made
    await made.spools.close(DEADLINE)


def hear(tap: Tap[Spool], *chunks: bytes) -> Spool:
    for chunk in chunks:
        assert tap(chunk) is chunk
    heard = tap.take()
    assert isinstance(heard, Spool)
    return heard


async def removed(spool: Spool) -> None:
    ending = spool.drop()
    assert ending
    await asyncio.wait_for(ending, DEADLINE)


@pytest.mark.parametrize("size", [1, 4096, PIECE - 1, PIECE, 2 * PIECE])
async def test_a_spool_holds_what_was_heard_in_order_and_memory_holds_nothing(
    bench: Bench, size: int
) -> None:
    chunks = [bytes([number]) * size for number in range(11)]
    spool = hear(bench.tap(), *chunks)
    assert await spool.finish(DEADLINE)
    assert spool.path.read_bytes() == b"".join(chunks)
    assert bench.owed == (0, 11 * size)
    await removed(spool)
    assert (bench.files, bench.owed) == ([], (0, 0))


async def test_a_file_is_for_its_owner_alone(bench: Bench) -> None:
    spool = hear(bench.tap(), b"1" * 20)
    await spool.finish(DEADLINE)
    assert spool.path.stat().st_mode & 0o777 == 0o600


async def test_what_fits_into_memory_has_no_file(bench: Bench) -> None:
    tap = bench.tap(memory=10)
    tap(b"1" * 10)
    assert (tap.take(), bench.files) == (b"1" * 10, [])


async def test_dropping_in_the_middle_leaves_nothing(bench: Bench) -> None:
    for chunks in ([b"1" * 20], [b"1" * PIECE], [b"1" * PIECE, b"2" * 5]):
        spool = hear(bench.tap(), *chunks)
        await removed(spool)
        await removed(spool)
        assert not await spool.finish(DEADLINE)
    assert (bench.files, bench.owed) == ([], (0, 0))


async def until_empty(bench: Bench) -> None:
    async with asyncio.timeout(DEADLINE):
        while bench.files or any(bench.owed):  # noqa: ASYNC110 - the spool tells nobody but its owner
            await asyncio.sleep(0)


async def test_a_tap_that_passes_its_limit_leaves_no_file(bench: Bench) -> None:
    tap = bench.tap(limit=2 * PIECE)
    for _ in range(3):
        tap(b"1" * PIECE)
    assert (tap.lost, tap.too_large, tap.take()) == (True, True, b"")
    await until_empty(bench)


async def test_the_disk_has_room_for_so_many_bytes_of_all_together(tmp_path: Path) -> None:
    bench = Bench(tmp_path, room=100)
    first, second = bench.tap(), bench.tap()
    first(b"1" * 60)
    second(b"2" * 60)
    assert (first.lost, second.lost, second.too_large) == (False, True, False)
    await removed(first.take())  # type: ignore[arg-type]
    hear(bench.tap(), b"3" * 60)
    await bench.spools.close(DEADLINE)
    assert (bench.files, bench.owed) == ([], (0, 0))


async def test_a_disk_that_is_too_slow_loses_the_tap_and_not_the_stream(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written before the test says so."""
    monkeypatch.setattr(spooling, "WAITING", 3 * PIECE)
    go_on = asyncio.Event()
    loop = asyncio.get_running_loop()

    def write(spool: Spool, chunks: list[bytes], last: bool) -> None:
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(DEADLINE)

    monkeypatch.setattr(Spool, "_write", write)
    tap = bench.tap()
    chunk = b"1" * PIECE
    assert [tap(chunk) for _ in range(5)] == [chunk] * 5
    assert (tap.lost, tap.too_large) == (True, False)
    go_on.set()
    await until_empty(bench)


async def test_a_disk_that_fails_loses_the_answer(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    spool = hear(bench.tap(), b"1" * 20)
    spool.path = bench.folder / "none" / "such"
    assert not await spool.finish(DEADLINE)
    await removed(spool)
    assert bench.owed == (0, 0) and "could not be written" in caplog.text


async def test_without_a_name_for_a_file_there_is_no_spool(tmp_path: Path) -> None:
    def fail() -> Path:
        raise OSError("no disk")

    budget = Budget(100)
    tap = Tap(100, budget, memory=10, spool=Spools(fail, budget).open)
    assert tap(b"1" * 20) and tap.lost and budget.used == 0


async def test_the_end_leaves_no_file_and_a_late_chunk_does_no_harm(bench: Bench) -> None:
    tap, other = bench.tap(), bench.tap()
    for each in (tap, other):
        each(b"1" * 20)
    await bench.spools.close(DEADLINE)
    assert (bench.files, bench.owed) == ([], (0, 0))
    assert tap(b"late" * PIECE) == b"late" * PIECE
    assert tap.lost
    late = hear(bench.tap(), b"1" * 20)
    assert not await late.finish(DEADLINE)
    late.drop()
    assert (bench.files, bench.owed) == ([], (0, 0))
