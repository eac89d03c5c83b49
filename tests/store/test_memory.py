from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.store.base import Entry, Staged
from mitmcache.store.memory import ENTRY_OVERHEAD, MADE_SHARE, MemoryStore
from store.samples import entry, key

COST = 64 + 1000 + ENTRY_OVERHEAD


def bytes_of(one: Entry) -> bytes:
    assert isinstance(one.blob, bytes)
    return one.blob


async def kept(store: MemoryStore, names: range) -> list[int]:
    """Which of them are there; asking uses them, in this order."""
    return [n for n in names if await store.get(key(n)) is not None]


async def test_key_blob_and_overhead_are_counted() -> None:
    store = MemoryStore(10 * COST)
    for n in range(3):
        store.put(entry(n))
    assert (len(store), store.bytes) == (3, 3 * COST)


async def test_the_least_recently_used_goes_first() -> None:
    store = MemoryStore(5 * COST)
    for n in range(5):
        store.put(entry(n))
    await store.get(key(0))
    store.put(entry(5))
    store.put(entry(6))
    assert await kept(store, range(7)) == [0, 3, 4, 5, 6]


async def test_putting_again_counts_as_use_and_replaces_the_bytes() -> None:
    store = MemoryStore(5 * COST)
    for n in range(5):
        store.put(entry(n))
    store.put(entry(0, 900))
    assert store.bytes == 5 * COST - 100
    store.put(entry(5))
    assert await kept(store, range(6)) == [0, 2, 3, 4, 5]


@pytest.mark.parametrize(("max_bytes", "taken"), [(4 * COST, True), (4 * COST - 1, False), (0, False)])
async def test_an_entry_over_a_quarter_is_not_kept(max_bytes: int, taken: bool) -> None:
    store = MemoryStore(max_bytes)
    assert store.put(entry("a")) is taken
    assert (await store.get(key("a")) is not None) is taken


async def test_an_entry_too_large_to_keep_takes_its_predecessor_away() -> None:
    """An old answer must not outlive a newer one."""
    store = MemoryStore(4 * COST)
    store.put(entry("a"))
    assert not store.put(entry("a", 2000))
    assert await store.get(key("a")) is None
    assert (len(store), store.bytes) == (0, 0)


async def test_a_file_is_not_kept_and_takes_its_predecessor_away() -> None:
    store = MemoryStore(4 * COST)
    store.put(entry("a"))
    assert not store.put(Entry(key("a"), Staged(Path("nowhere"), 10)))
    assert await store.get(key("a")) is None
    assert (len(store), store.bytes) == (0, 0)


async def test_close_lets_go_of_everything() -> None:
    store = MemoryStore(10 * COST)
    store.put(entry("a"))
    await store.close(1)
    assert (len(store), store.bytes) == (0, 0)


async def test_what_was_made_of_a_blob_is_known_while_that_very_blob_is_there() -> None:
    store, first, second = MemoryStore(100 * COST), entry("a"), entry("a", variant=2)
    store.put(first)
    store.remember(first.key, bytes_of(first), "made", 10)
    assert store.made_of(first.key, bytes_of(first)) == "made"
    equal = bytes(bytearray(bytes_of(first)))
    assert store.made_of(first.key, equal) is None
    store.put(second)
    assert store.made_of(first.key, bytes_of(second)) is None
    store.put(first)
    assert store.made_of(first.key, bytes_of(first)) is None
    assert store.made_bytes == 0


async def test_what_was_made_of_a_blob_that_is_gone_is_not_kept() -> None:
    store, one = MemoryStore(100 * COST), entry("a")
    store.remember(one.key, bytes_of(one), "made", 10)
    assert (store.made_of(one.key, bytes_of(one)), store.made_bytes) == (None, 0)


async def test_what_was_made_last_and_used_last_stays_within_a_quarter() -> None:
    store, entries = MemoryStore(80 * COST), [entry(n) for n in range(6)]
    for n, one in enumerate(entries):
        store.put(one)
        store.remember(one.key, bytes_of(one), n, 5 * COST)
        store.made_of(entries[0].key, bytes_of(entries[0]))
    assert [store.made_of(one.key, bytes_of(one)) for one in entries] == [0, None, None, 3, 4, 5]
    assert store.made_bytes == 20 * COST


async def test_one_that_would_take_a_quarter_of_that_is_not_kept() -> None:
    store, one = MemoryStore(80 * COST), entry("a")
    store.put(one)
    store.remember(one.key, bytes_of(one), "made", 5 * COST + 1)
    assert store.made_of(one.key, bytes_of(one)) is None


async def test_what_was_made_of_blobs_makes_room_for_blobs() -> None:
    store, first = MemoryStore(100 * COST), entry("a")
    store.put(first)
    store.remember(first.key, bytes_of(first), "made", 2 * COST)
    for n in range(97):
        store.put(entry(n))
    assert store.made_of(first.key, bytes_of(first)) == "made"
    store.put(entry("last"))
    assert store.made_of(first.key, bytes_of(first)) is None
    assert len(store) == 99


@given(
    max_bytes=st.integers(0, 20 * COST),
    steps=st.lists(st.tuples(st.sampled_from("pdm"), st.integers(0, 9), st.integers(0, 5000)), max_size=60),
)
async def test_the_bytes_are_those_of_what_is_kept_and_never_over_the_bound(
    max_bytes: int, steps: list[tuple[str, int, int]]
) -> None:
    store = MemoryStore(max_bytes)
    for what, n, size in steps:
        if what == "p":
            store.put(Entry(key(n), bytes(size)))
        elif what == "d":
            await store.delete(key(n))
        elif blob := await store.get(key(n)):
            store.remember(key(n), blob, "made", size)
        assert store.bytes + store.made_bytes <= max_bytes
        assert store.made_bytes <= max_bytes // MADE_SHARE
    blobs = [blob for n in range(10) if (blob := await store.get(key(n))) is not None]
    assert store.bytes == sum(64 + len(blob) + ENTRY_OVERHEAD for blob in blobs)
    assert len(store) == len(blobs)


async def test_lookups_and_evictions_are_counted() -> None:
    store = MemoryStore(5 * COST)
    for n in range(7):
        store.put(entry(n))
    await store.delete(key(6))
    assert await kept(store, range(7)) == [2, 3, 4, 5]
    assert (store.hits, store.misses, store.evicted) == (4, 3, 2)
