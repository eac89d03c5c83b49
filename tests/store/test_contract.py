"""What every Store promises (store/base.py), asked of each."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mitmcache.store.base import Blob, Entry, Store, StoreError
from mitmcache.store.disk import DiskStore
from mitmcache.store.memory import MemoryStore
from mitmcache.store.tiers import Tiers
from store.samples import blob, entry, key

MAX = 100_000_000


class Written(DiskStore):
    """A DiskStore whose every read comes from the disk and not from what is queued."""

    async def get(self, key: str) -> Blob | None:
        await self.flush(60)
        return await super().get(key)


def opened(kind: type[DiskStore], folder: Path) -> DiskStore:
    store = kind(folder, MAX, now=lambda: 1_000_000.0)
    store.open()
    return store


KINDS: dict[str, Callable[[Path], Store]] = {
    "memory": lambda folder: MemoryStore(MAX),
    "disk": lambda folder: opened(DiskStore, folder),
    "disk, written": lambda folder: opened(Written, folder),
    "tiers": lambda folder: Tiers(MemoryStore(MAX), opened(DiskStore, folder)),
    "tiers, memory empty": lambda folder: Tiers(MemoryStore(0), opened(Written, folder), deadline=60),
    "tiers, no disk": lambda folder: Tiers(MemoryStore(MAX), None),
}
SIZES = (1, 1000, 65_536, 65_537, 900_000)


@pytest.fixture(params=list(KINDS.values()), ids=list(KINDS))
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made: Store = request.param(tmp_path)
    yield made
    await made.close(60)


async def test_a_key_never_put_is_none(store: Store) -> None:
    assert await store.get(key("none")) is None


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_put_can_be_got_at_once(store: Store, size: int) -> None:
    one = Entry(key("a"), blob(key("a"), 1000) * (size // 1000) + b"x" * (size % 1000))
    assert store.put(one)
    assert await store.get(one.key) == one.blob


@pytest.mark.parametrize("after", SIZES)
@pytest.mark.parametrize("before", SIZES[1:])
async def test_the_last_put_wins(store: Store, before: int, after: int) -> None:
    store.put(entry("a", before, 1))
    await store.get(key("a"))
    store.put(Entry(key("a"), b"n" * after))
    assert await store.get(key("a")) == b"n" * after


@pytest.mark.parametrize("size", SIZES[1:])
async def test_what_is_deleted_is_gone_and_can_be_put_again(store: Store, size: int) -> None:
    store.put(entry("a", size))
    store.put(entry("b", size))
    await store.get(key("a"))
    await store.delete(key("a"))
    assert await store.get(key("a")) is None
    assert await store.get(key("b")) == entry("b", size).blob
    store.put(entry("a", size, 2))
    assert await store.get(key("a")) == entry("a", size, 2).blob


async def test_deleting_what_is_not_there_is_no_error(store: Store) -> None:
    await store.delete(key("none"))
    assert await store.get(key("none")) is None


async def test_an_expired_entry_is_still_given(store: Store) -> None:
    store.put(entry("a", expires=5.0))
    assert await store.get(key("a")) == entry("a").blob


async def test_keys_do_not_mix(store: Store) -> None:
    for n in range(200):
        assert store.put(entry(n, 500 + n))
    for n in range(200):
        assert await store.get(key(n)) == entry(n, 500 + n).blob


async def test_closing_twice_is_harmless_and_a_closed_store_raises_nothing_but_store_error(
    store: Store,
) -> None:
    store.put(entry("a"))
    await store.close(60)
    await store.close(60)
    store.put(entry("b"))
    for act in (store.get, store.delete):
        with contextlib.suppress(StoreError):
            await act(key("a"))
