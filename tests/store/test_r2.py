"""Against a real S3 server. How it fails is in test_r2_failures.py."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mitmcache.store import r2, s3_limits
from mitmcache.store.base import LARGE, Large, Staged, StoreError
from mitmcache.store.location import parse
from mitmcache.store.names import Names
from mitmcache.store.r2 import R2Store, Skipped
from mitmcache.store.s3_errors import BucketError, Kind
from mitmcache.store.seal import Seal
from s3 import late
from s3.faults import Fault, FaultProxy
from s3.server import S3Server
from s3.stores import ABOUT, KEY, KEYS, Open, entry, failures, in_a_hurry, opening, until

SEAL = Seal(b"0123456789abcdef", "bucket/prefix")


@pytest.fixture
async def open_store(place: str, faults: FaultProxy, tmp_path: Path) -> AsyncIterator[Open]:
    async with opening(place, faults, tmp_path / "staging") as opened:
        yield opened


def staged(tmp_path: Path) -> list[Path]:
    """What is left of the files that large records are received in."""
    return list((tmp_path / "staging").iterdir())


@pytest.mark.parametrize("seal", [None, SEAL], ids=["open", "sealed"])
async def test_what_one_puts_another_gets(open_store: Open, seal: Seal | None) -> None:
    one, other = await open_store(seal=seal), await open_store(seal=seal)
    assert await other.get(KEY, ABOUT) is None
    await one.put(entry())
    assert await other.get(KEY, ABOUT) == b"a record"
    await other.delete(KEY, ABOUT)
    assert await one.get(KEY, ABOUT) is None


async def test_a_hit_is_one_get_and_a_put_one_put(open_store: Open, faults: FaultProxy) -> None:
    store = await open_store()
    faults.requests.clear()
    await store.put(entry())
    await store.get(KEY, ABOUT)
    assert faults.methods == ["PUT", "GET"]


@pytest.mark.parametrize("seal", [None, SEAL], ids=["open", "sealed"])
async def test_a_large_record_goes_and_comes_as_a_file(
    open_store: Open, seal: Seal | None, tmp_path: Path
) -> None:
    store = await open_store(seal=seal)
    data = os.urandom(LARGE + 1)
    path = tmp_path / "record"
    path.write_bytes(data)
    await store.put(entry(blob=Staged(path, len(data))))
    found = await store.get(KEY, ABOUT)
    assert isinstance(found, Large)
    with found.file as file:
        assert file.read() == data
    assert staged(tmp_path) == []


async def test_what_does_not_open_is_a_miss_and_counted(open_store: Open) -> None:
    store, stranger = await open_store(seal=SEAL), await open_store(seal=None)
    name = Names(SEAL).entry(KEY, ABOUT)
    await stranger.ask(lambda objects: objects.put(name, b"not sealed", deadline=60))
    assert await store.get(KEY, ABOUT) is None
    assert (store.statistics()["unreadable"], store.statistics()["failures"]) == (1, 0)


async def test_lookups_are_counted(open_store: Open, faults: FaultProxy) -> None:
    store = await open_store()
    await store.put(entry())
    for key in KEYS[:3]:
        await store.get(key, ABOUT)
    faults.behave(Fault.HANG)
    with in_a_hurry(store):
        await failures(store, 1)
    faults.behave(Fault.STATUS, status=500)
    await failures(store, 1)
    assert store.statistics() == {
        "lookups": 5,
        "hits": 1,
        "misses": 2,
        "timeouts": 1,
        "failures": 1,
        "skipped": 0,
        "unreadable": 0,
        "breaker": "closed",
    }


async def test_a_lookup_before_it_is_ready_is_skipped(open_store: Open, faults: FaultProxy) -> None:
    faults.behave(Fault.HANG)
    store = await open_store(ready=False)
    assert [type(error) for error in await failures(store, 3)] == [Skipped] * 3
    assert store.statistics()["skipped"] == 3


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.DRIP_HEAD, Fault.DRIP])
async def test_a_lookup_ends_with_the_deadline_and_so_does_its_thread(
    open_store: Open, faults: FaultProxy, fault: Fault
) -> None:
    store = await open_store()
    await store.put(entry(blob=b"x" * 1000))
    faults.behave(fault)
    with pytest.raises(BucketError) as caught, in_a_hurry(store):
        await store.get(KEY, ABOUT)
    assert caught.value.kind is Kind.TIMEOUT
    await store._readers.close(60)
    assert not store._readers._running


async def test_the_loop_is_free_while_the_bucket_is_slow(open_store: Open, faults: FaultProxy) -> None:
    store = await open_store()
    faults.requests.clear()
    faults.behave(Fault.HANG)
    lookup = asyncio.ensure_future(store.get(KEY, ABOUT))
    await until(lambda: bool(faults.requests))
    assert not lookup.done()


async def test_lookups_beyond_the_threads_are_skipped_and_not_queued(
    open_store: Open, faults: FaultProxy
) -> None:
    store = await open_store()
    faults.behave(Fault.HANG)
    lookups = [asyncio.ensure_future(store.get(key, ABOUT)) for key in KEYS[:40]]
    await until(lambda: sum(lookup.done() for lookup in lookups) >= 40 - r2.READERS)
    faults.behave(Fault.REFUSE)
    results = await asyncio.gather(*lookups, return_exceptions=True)
    kinds = [type(result) for result in results]
    assert (kinds.count(BucketError), kinds.count(Skipped)) == (r2.READERS, 40 - r2.READERS)
    assert store.statistics()["skipped"] == 40 - r2.READERS


async def test_a_large_record_that_keeps_coming_has_longer(
    open_store: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, clocks = asyncio.get_running_loop(), [0.0]
    now = loop.time
    monkeypatch.setattr(loop, "time", lambda: now() + sum(clocks))
    late.turn_in_the_middle(monkeypatch, lambda ahead: loop.call_soon_threadsafe(clocks.append, ahead))
    store = await open_store(deadline=late.SECONDS)
    path = tmp_path / "record"
    path.write_bytes(bytes(2 * LARGE))
    await store.put(entry(blob=Staged(path, 2 * LARGE)))
    found = await store.get(KEY, ABOUT)
    assert isinstance(found, Large)
    found.file.close()
    assert sum(clocks) > late.SECONDS


async def test_a_large_record_that_nobody_waits_for_any_more_is_removed(
    open_store: Open, faults: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_limits, "RATE", 1 << 20)
    store = await open_store()
    path = tmp_path / "record"
    path.write_bytes(bytes(LARGE + 1))
    await store.put(entry(blob=Staged(path, LARGE + 1)))
    faults.behave(Fault.PACED)
    lookup = asyncio.ensure_future(store.get(KEY, ABOUT))
    await until(lambda: bool(staged(tmp_path)))
    lookup.cancel()
    await asyncio.wait([lookup])
    await until(lambda: not store._readers._running and not staged(tmp_path))
    assert store.statistics()["timeouts"] == 0


async def test_after_a_close_nothing_is_asked(open_store: Open, faults: FaultProxy) -> None:
    store = await open_store()
    await store.close(60)
    faults.requests.clear()
    with pytest.raises(StoreError):
        await store.get(KEY, ABOUT)
    with pytest.raises(StoreError):
        await store.put(entry())
    assert faults.requests == []


async def test_closing_ends_a_start_that_hangs(open_store: Open, faults: FaultProxy) -> None:
    faults.behave(Fault.HANG)
    store = await open_store(ready=False)
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await store.close(0.01)


async def test_a_bucket_that_is_served_by_a_real_server_needs_no_proxy(
    place: str, s3_server: S3Server
) -> None:
    store = R2Store(parse(place, s3_server.environ), Names(), deadline=60, environ=s3_server.environ)
    await store.put(entry())
    await store.close(60)
