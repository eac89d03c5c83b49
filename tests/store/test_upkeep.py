import os
import time
from pathlib import Path

import pytest

from mitmcache.store.blobs import INLINE_BYTES
from mitmcache.store.disk import DiskStore
from mitmcache.store.tables import ROW_OVERHEAD
from mitmcache.store.upkeep import ORPHAN_SECONDS
from store.helpers import Clock, OpenDisk, files, query
from store.samples import entry, key

LARGE = INLINE_BYTES + 1
COST = 10_000 + ROW_OVERHEAD


async def fill(store: DiskStore, clock: Clock, names: range, size: int = 10_000, expires: float = 0) -> None:
    """One second apart."""
    for n in names:
        clock.time += 1
        assert store.put(entry(n, size, expires=expires))
    assert await store.flush(60)


def stored(folder: Path, names: range) -> list[int]:
    """Which are there, without using them."""
    there = {row[0] for row in query(folder, "SELECT key FROM entries")}
    return [n for n in names if key(n) in there]


async def test_over_its_bound_the_store_goes_down_to_nine_tenths_the_least_recently_used_first(
    open_disk: OpenDisk, tmp_path: Path, clock: Clock
) -> None:
    store = open_disk(max_bytes=20 * COST)
    await fill(store, clock, range(20))
    assert stored(tmp_path, range(20)) == list(range(20))
    await store.get(key(0))
    await store.get(key(2))
    await fill(store, clock, range(20, 21))
    assert stored(tmp_path, range(21)) == [0, 2, *range(5, 20), 20]
    stats = await store.stats()
    assert (stats.bytes, stats.evicted) == (18 * COST, 3)


async def test_a_use_that_a_faster_tier_reports_counts(
    open_disk: OpenDisk, tmp_path: Path, clock: Clock
) -> None:
    store = open_disk(max_bytes=20 * COST)
    await fill(store, clock, range(20))
    store.touch(key(0))
    await fill(store, clock, range(20, 21))
    assert stored(tmp_path, range(4)) == [0]


async def test_use_is_remembered_across_a_restart(open_disk: OpenDisk, tmp_path: Path, clock: Clock) -> None:
    store = open_disk(max_bytes=20 * COST)
    await fill(store, clock, range(20))
    await store.get(key(0))
    await store.close(60)
    await fill(open_disk(max_bytes=20 * COST), clock, range(20, 21))
    assert stored(tmp_path, range(4)) == [0]


async def test_the_expired_go_before_the_least_recently_used(
    open_disk: OpenDisk, tmp_path: Path, clock: Clock
) -> None:
    store = open_disk(max_bytes=20 * COST)
    await fill(store, clock, range(10))
    await fill(store, clock, range(10, 20), expires=clock.time + 50)
    clock.time += 100
    await fill(store, clock, range(20, 21))
    assert stored(tmp_path, range(21)) == [*range(10), *range(13, 21)]


async def test_expired_entries_stay_while_there_is_room(
    open_disk: OpenDisk, tmp_path: Path, clock: Clock
) -> None:
    store = open_disk(max_bytes=20 * COST)
    await fill(store, clock, range(10), expires=clock.time + 1)
    clock.time += 1000
    await fill(store, clock, range(10, 12))
    assert stored(tmp_path, range(12)) == list(range(12))


@pytest.mark.parametrize("size", [500, 10_000, 40_000, 90_000])
async def test_real_disk_use_stays_near_the_bound(
    open_disk: OpenDisk, tmp_path: Path, clock: Clock, size: int
) -> None:
    max_bytes = 8_000_000
    store = open_disk(max_bytes=max_bytes)
    for n in range(3 * max_bytes // (size + ROW_OVERHEAD)):
        assert store.put(entry(n, size))
        if n % 200 == 199:
            assert await store.flush(60)
            assert (await store.stats()).bytes <= max_bytes
    assert await store.flush(60)
    stats = await store.stats()
    assert stats.write_failed == 0
    assert 0.85 * max_bytes <= stats.bytes <= max_bytes
    assert len(files(tmp_path)) == (stats.entries if size > INLINE_BYTES else 0)
    for _ in range(50):  # each is at least one slice of giving pages back
        assert await store.flush(60)
    await store.close(60)
    used = sum(path.stat().st_size for path in [*files(tmp_path), tmp_path / "cache.sqlite3"])
    assert used <= 1.2 * max_bytes + 1_000_000  # the slack of free pages that is left for the next rows


async def test_disk_use_follows_when_the_bound_is_lowered(
    open_disk: OpenDisk, tmp_path: Path, clock: Clock
) -> None:
    store = open_disk()
    await fill(store, clock, range(1000))
    await store.close(60)
    before = (tmp_path / "cache.sqlite3").stat().st_size
    store = open_disk(max_bytes=1_000_000)
    for _ in range(50):
        assert await store.flush(60)
    assert before > 10_000_000
    assert (tmp_path / "cache.sqlite3").stat().st_size < 2_500_000  # while it is open


def old(path: Path, clock: Clock, age: float) -> Path:
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        path.write_bytes(b"left behind")
    os.utime(path, (clock.time - age, clock.time - age))
    return path


async def test_what_a_killed_process_left_is_removed_after_an_hour_and_nothing_else(
    open_disk: OpenDisk, tmp_path: Path, clock: Clock
) -> None:
    store = open_disk()
    store.put(entry("whole", LARGE))
    await store.close(60)
    long_ago, lately = ORPHAN_SECONDS + 1, ORPHAN_SECONDS - 1
    (whole,) = files(tmp_path)
    kept = [
        old(whole, clock, long_ago),
        old(tmp_path / "blobs" / key("young")[:2] / key("young"), clock, lately),
        old(tmp_path / "tmp" / "young", clock, lately),
    ]
    old(whole.with_suffix(".1"), clock, long_ago)  # what the key had before
    old(whole.with_suffix(""), clock, long_ago)
    old(tmp_path / "blobs" / key("orphan")[:2] / key("orphan"), clock, long_ago)
    old(tmp_path / "tmp" / "orphan", clock, long_ago)
    store = open_disk()
    for _ in range(300):  # each is at least one folder
        assert await store.flush(60)
    assert sorted(files(tmp_path)) == sorted(kept)
    assert await store.get(key("whole")) == entry("whole", LARGE).blob


async def test_temporary_files_are_swept_every_hour(
    open_disk: OpenDisk, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_disk()
    for _ in range(300):
        assert await store.flush(60)
    old(tmp_path / "tmp" / "orphan", clock, ORPHAN_SECONDS + 1)
    assert await store.flush(60)
    assert len(files(tmp_path)) == 1
    hour = time.monotonic() + ORPHAN_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda: hour)
    assert await store.flush(60)
    assert files(tmp_path) == []


async def test_what_is_still_to_be_uploaded_is_not_evicted_before_it_expires(
    open_disk: OpenDisk, tmp_path: Path, clock: Clock
) -> None:
    store = open_disk(max_bytes=20 * COST, destination="bucket")
    await fill(store, clock, range(5))
    await fill(store, clock, range(5, 10), expires=clock.time + 100)
    other = open_disk(max_bytes=20 * COST)
    await fill(other, clock, range(10, 30))
    assert set(range(10)) < set(stored(tmp_path, range(30)))
    clock.time += 100
    await fill(other, clock, range(30, 40))
    assert stored(tmp_path, range(10)) == list(range(5))
    for due in await store.due(99):
        store.uploaded(due.key, due.version)
    assert await store.flush(60)
    await fill(other, clock, range(40, 50))
    assert stored(tmp_path, range(10)) == []
