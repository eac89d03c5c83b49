import asyncio
from pathlib import Path

import pytest

from mitmcache.selection import About
from mitmcache.store.base import StoreError
from mitmcache.store.disk import DiskStore
from mitmcache.store.memory import MemoryStore
from mitmcache.store.tiers import Found, Tier, Tiers
from store.fakes import FakeBucket, FakeDisk, bytes_of
from store.helpers import Clock, OpenDisk
from store.samples import entry, key

A = entry("a")


def tiers(
    disk: FakeDisk | None, memory: int = 1_000_000, deadline: float = 10, bucket: FakeBucket | None = None
) -> Tiers:
    return Tiers(MemoryStore(memory), disk, bucket, deadline=deadline)


async def test_find_says_which_tier_answered_and_fill_copies_to_the_faster_ones() -> None:
    disk = FakeDisk()
    store = tiers(disk, bucket=FakeBucket(A))
    assert await store.find(A.key) == Found(bytes_of(A), "bucket")
    assert await store.find(A.key) == Found(bytes_of(A), "bucket")  # nobody has said that it is good
    store.fill(A, "bucket")
    assert disk.blobs == {A.key: A.blob}
    assert await store.find(A.key) == Found(bytes_of(A), "memory")
    await store.memory.delete(A.key)
    assert await store.find(A.key) == Found(bytes_of(A), "disk")
    assert await store.find(key("none")) is None


async def test_a_fill_from_disk_goes_to_memory_alone() -> None:
    disk = FakeDisk()
    store = tiers(disk)
    store.fill(A, "disk")
    assert A.key in store.memory and disk.blobs == {}


async def test_what_the_disk_is_known_to_lack_is_a_miss_of_the_disk_that_costs_no_read() -> None:
    disk = FakeDisk(A)
    disk.lacking.add(key("b"))
    disk.go_on.clear()
    store = tiers(disk, bucket=FakeBucket(entry("b")))
    assert await store.find(key("b")) == Found(bytes_of(entry("b")), "bucket")
    assert not disk.reading.is_set() and store.disk_misses == 1
    disk.go_on.set()
    assert await store.find(A.key) == Found(bytes_of(A), "disk")


async def test_find_below_a_tier_asks_only_slower_ones() -> None:
    store = tiers(FakeDisk(A), bucket=FakeBucket(entry("a", variant=2)))
    store.put(A)
    assert await store.find(A.key, below="memory") == Found(bytes_of(A), "disk")
    assert await store.find(A.key, below="disk") == Found(bytes_of(entry("a", variant=2)), "bucket")
    assert await store.find(A.key, below="bucket") is None


async def test_the_bucket_is_asked_only_when_the_faster_tiers_have_nothing() -> None:
    bucket = FakeBucket()
    store = tiers(FakeDisk(A), bucket=bucket)
    await store.find(A.key)
    assert bucket.asked == []
    await store.find(key("b"), About("openai", model="m"))
    assert bucket.asked == [(key("b"), About("openai", model="m"))]


async def test_a_failing_bucket_is_a_miss() -> None:
    bucket = FakeBucket(A)
    bucket.error = StoreError("broken")
    assert await tiers(FakeDisk(), bucket=bucket).get(A.key) is None


@pytest.mark.parametrize("tier", ["memory", "disk", "bucket"])
async def test_discard_removes_where_it_was_found_and_leaves_the_slower_tiers(tier: Tier) -> None:
    disk, bucket = FakeDisk(A), FakeBucket(A)
    store = tiers(disk, bucket=bucket)
    store.memory.put(A)
    await store.discard(A.key, About(), tier)
    kept = {"memory": (1, 1), "disk": (0, 1), "bucket": (1, 0)}[tier]
    assert (len(disk.blobs), len(bucket.blobs)) == kept
    assert (A.key in store.memory) is (tier == "bucket")


async def test_a_memory_hit_counts_as_use_on_disk() -> None:
    """Else the entries used most would look unused there, and be evicted first."""
    disk = FakeDisk(A)
    store = tiers(disk)
    await store.find(A.key)
    assert disk.touched == []
    store.memory.put(A)
    await store.find(A.key)
    assert disk.touched == [A.key]


async def test_put_goes_to_both_tiers() -> None:
    disk = FakeDisk()
    store = tiers(disk)
    assert store.put(A)
    assert disk.blobs == {A.key: A.blob}
    assert await store.find(A.key) == Found(bytes_of(A), "memory")


@pytest.mark.parametrize(
    ("memory", "disk_takes", "taken"),
    [(1_000_000, False, True), (0, True, True), (0, False, False)],
    ids=["memory alone", "disk alone", "neither"],
)
async def test_put_is_true_if_either_took_it(memory: int, disk_takes: bool, taken: bool) -> None:
    disk = FakeDisk()
    disk.takes = disk_takes
    assert tiers(disk, memory).put(A) is taken


async def test_delete_takes_it_from_both_tiers() -> None:
    disk = FakeDisk(A)
    store = tiers(disk)
    store.memory.put(A)
    await store.delete(A.key)
    assert await store.find(A.key) is None
    assert disk.blobs == {}


async def test_delete_says_when_the_disk_could_not() -> None:
    disk = FakeDisk(A)
    store = tiers(disk)
    store.memory.put(A)
    disk.error = StoreError("full")
    with pytest.raises(StoreError):
        await store.delete(A.key)
    assert await store.memory.get(A.key) is None


async def test_a_failing_disk_is_a_miss_and_is_counted() -> None:
    disk = FakeDisk(A)
    disk.error = StoreError("broken")
    store = tiers(disk)
    assert await store.get(A.key) is None
    assert (store.lookup_failed, store.lookup_timeout) == (1, 0)


async def test_a_hanging_disk_is_a_miss_after_the_deadline_and_is_counted() -> None:
    disk = FakeDisk(A)
    disk.go_on.clear()
    store = tiers(disk, deadline=0.01)
    assert await store.get(A.key) is None
    assert (store.lookup_failed, store.lookup_timeout) == (0, 1)


async def test_without_a_disk_memory_works_alone() -> None:
    store = tiers(None)
    assert await store.find(A.key) is None
    assert store.put(A)
    assert await store.find(A.key) == Found(bytes_of(A), "memory")
    await store.delete(A.key)
    assert await store.get(A.key) is None


async def test_what_was_put_during_a_lookup_is_not_replaced_by_what_it_found() -> None:
    disk, newer = FakeDisk(A), entry("a", variant=2)
    disk.go_on.clear()
    store = tiers(disk)
    looking = asyncio.create_task(store.find(A.key))
    await disk.reading.wait()
    store.put(newer)
    disk.go_on.set()
    assert await looking
    store.fill(A, "bucket")
    assert await store.find(A.key) == Found(bytes_of(newer), "memory")
    assert disk.blobs == {A.key: newer.blob}


async def test_close_closes_all() -> None:
    disk, bucket = FakeDisk(), FakeBucket()
    store = tiers(disk, bucket=bucket)
    store.put(A)
    await store.close(7)
    assert (disk.closed_within, bucket.closed_within) == (7, 7)
    assert len(store.memory) == 0


async def test_after_a_restart_the_disk_answers(open_disk: OpenDisk) -> None:
    store = Tiers(MemoryStore(1_000_000), open_disk(), deadline=60)
    store.put(A)
    await store.close(60)
    again = Tiers(MemoryStore(1_000_000), open_disk(), deadline=60)
    assert await again.find(A.key) == Found(bytes_of(A), "disk")


async def test_a_disk_that_is_not_open_is_a_miss(tmp_path: Path, clock: Clock) -> None:
    store = Tiers(MemoryStore(1_000_000), DiskStore(tmp_path, 1_000_000, now=clock))
    assert await store.find(A.key) is None
    assert store.lookup_failed == 1
    assert store.put(A)
