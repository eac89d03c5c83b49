import asyncio
from pathlib import Path

import pytest

from mitmcache.store.base import Entry, StoreError
from mitmcache.store.disk import DiskStore
from mitmcache.store.memory import MemoryStore
from mitmcache.store.tiers import Found, Tiers
from store.helpers import Clock, OpenDisk
from store.samples import entry, key

A = entry("a")


class FakeDisk:
    """A second tier that a test can stop in the middle of a read, or break."""

    def __init__(self, *entries: Entry) -> None:
        self.blobs = {entry.key: entry.blob for entry in entries}
        self.touched: list[str] = []
        self.takes = True
        self.error: StoreError | None = None
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.reading = asyncio.Event()

    async def get(self, key: str) -> bytes | None:
        blob = self.blobs.get(key)
        self.reading.set()
        await self.go_on.wait()
        if self.error:
            raise self.error
        return blob

    def put(self, entry: Entry) -> bool:
        if self.takes:
            self.blobs[entry.key] = entry.blob
        return self.takes

    async def delete(self, key: str) -> None:
        if self.error:
            raise self.error
        self.blobs.pop(key, None)

    def touch(self, key: str) -> None:
        self.touched.append(key)

    async def close(self, deadline: float) -> None:
        self.closed_within = deadline


def tiers(disk: FakeDisk | None, memory: int = 1_000_000, deadline: float = 10) -> Tiers:
    return Tiers(MemoryStore(memory), disk, deadline=deadline)


async def test_find_says_which_tier_answered_and_a_disk_hit_fills_memory() -> None:
    store = tiers(FakeDisk(A))
    assert await store.find(A.key) == Found(A.blob, "disk")
    assert await store.find(A.key) == Found(A.blob, "memory")
    assert await store.find(key("none")) is None


async def test_a_memory_hit_counts_as_use_on_disk() -> None:
    """Else the entries used most would look unused there, and be evicted first."""
    disk = FakeDisk(A)
    store = tiers(disk)
    await store.find(A.key)
    assert disk.touched == []
    await store.find(A.key)
    assert disk.touched == [A.key]


async def test_put_goes_to_both_tiers() -> None:
    disk = FakeDisk()
    store = tiers(disk)
    assert store.put(A)
    assert disk.blobs == {A.key: A.blob}
    assert await store.find(A.key) == Found(A.blob, "memory")


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
    await store.find(A.key)
    await store.delete(A.key)
    assert await store.find(A.key) is None
    assert disk.blobs == {}


async def test_delete_says_when_the_disk_could_not() -> None:
    disk = FakeDisk(A)
    store = tiers(disk)
    await store.find(A.key)
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
    assert await store.find(A.key) == Found(A.blob, "memory")
    await store.delete(A.key)
    assert await store.find(A.key) is None
    await store.close(1)


async def test_a_put_during_a_disk_read_is_not_overwritten_by_the_older_blob() -> None:
    disk = FakeDisk(A)
    disk.go_on.clear()
    store = tiers(disk)
    looking = asyncio.create_task(store.get(A.key))
    await disk.reading.wait()
    store.put(entry("a", variant=2))
    disk.go_on.set()
    await looking
    assert await store.find(A.key) == Found(entry("a", variant=2).blob, "memory")
    await store.memory.delete(A.key)
    await store.find(A.key)
    assert await store.memory.get(A.key) == entry("a", variant=2).blob  # later reads do fill it


async def test_a_delete_during_a_disk_read_is_not_undone_by_it() -> None:
    disk = FakeDisk(A)
    disk.go_on.clear()
    store = tiers(disk)
    looking = asyncio.create_task(store.get(A.key))
    await disk.reading.wait()
    await store.delete(A.key)
    disk.go_on.set()
    await looking
    assert await store.find(A.key) is None


async def test_a_lookup_that_its_caller_cancels_leaves_nothing_behind() -> None:
    disk = FakeDisk(A)
    disk.go_on.clear()
    store = tiers(disk)
    looking = asyncio.create_task(store.get(A.key))
    await disk.reading.wait()
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    disk.go_on.set()
    assert await store.find(A.key) == Found(A.blob, "disk")
    assert await store.find(A.key) == Found(A.blob, "memory")


async def test_close_closes_both() -> None:
    disk = FakeDisk()
    store = tiers(disk)
    store.put(A)
    await store.close(7)
    assert disk.closed_within == 7
    assert len(store.memory) == 0


async def test_after_a_restart_the_disk_answers(open_disk: OpenDisk) -> None:
    store = Tiers(MemoryStore(1_000_000), open_disk(), deadline=10)
    store.put(A)
    await store.close(10)
    again = Tiers(MemoryStore(1_000_000), open_disk(), deadline=10)
    assert await again.find(A.key) == Found(A.blob, "disk")


async def test_a_disk_that_is_not_open_is_a_miss(tmp_path: Path, clock: Clock) -> None:
    store = Tiers(MemoryStore(1_000_000), DiskStore(tmp_path, 1_000_000, now=clock))
    assert await store.find(A.key) is None
    assert store.lookup_failed == 1
    assert store.put(A)
