"""Large records in the disk store: files in, files out. And copies, which come from a slower tier."""

import asyncio
import threading
from pathlib import Path

import pytest

from mitmcache.store.base import LARGE, Blob, Large, Staged
from mitmcache.store.blobs import Blobs
from mitmcache.store.rows import File
from mitmcache.store.tables import ROW_OVERHEAD
from store.helpers import OpenDisk, file_events, files, locked, query
from store.samples import blob, entry, key, stage

HUGE = LARGE + 1


def content(got: Blob | None) -> bytes | None:
    if isinstance(got, Large):
        with got.file:
            return got.file.read()
    return got


@pytest.mark.parametrize("size", [100, LARGE, HUGE])
@pytest.mark.parametrize("pending", [True, False])
async def test_a_staged_file_is_got_whole_while_it_is_queued_and_after(
    open_disk: OpenDisk, tmp_path: Path, size: int, pending: bool
) -> None:
    """Bytes up to the bound, an open file beyond."""
    store = open_disk()
    await store.flush(60)
    with locked(tmp_path):
        assert store.put(stage(store, "a", size))
        got = await store.get(key("a")) if pending else None
    await store.flush(60)
    if not pending:
        got = await store.get(key("a"))
    assert got is not None and len(got) == size
    assert isinstance(got, Large) == (size > LARGE)
    await store.delete(key("a"))
    await store.flush(60)
    assert content(got) == blob(key("a"), size)
    assert files(tmp_path) == []


async def test_a_staged_file_that_is_renamed_while_it_is_looked_for_is_found(
    open_disk: OpenDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed = threading.Event()
    place = Blobs.place

    def say(self: Blobs, temporary: Path, file: File) -> None:
        place(self, temporary, file)
        renamed.set()

    monkeypatch.setattr(Blobs, "place", say)
    store = open_disk()
    await store.flush(60)
    with locked(tmp_path):  # after the renaming, before the commit
        store.put(stage(store, "a", HUGE))
        assert await asyncio.to_thread(renamed.wait, 60)
        assert query(tmp_path, "SELECT count(*) FROM entries") == [(0,)]
        assert content(await store.get(key("a"))) == blob(key("a"), HUGE)


async def test_what_is_not_taken_leaves_no_file(open_disk: OpenDisk, tmp_path: Path) -> None:
    store = open_disk(max_bytes=4_000_000, queue_entries=9)
    taken: list[int] = []
    await store.flush(60)
    with locked(tmp_path):
        assert not store.put(stage(store, "too large", 1_000_000))
        assert store.put(stage(store, 1, 600_000))
        assert not store.put(stage(store, "too much staged", 500_000))
        assert store.put(stage(store, 1, 300_000))
        while store.put(entry(f"more {len(taken)}")):
            taken.append(1)
        assert not store.put(stage(store, "queue full", 1000))
        assert store.put(stage(store, 1, 200_000, copy=True))  # dropped: there is a newer one
    await store.flush(60)
    assert len(taken) >= 7
    assert [path.stat().st_size for path in files(tmp_path)] == [300_000]
    assert content(await store.get(key(1))) == blob(key(1), 300_000)
    await store.close(60)
    assert not store.put(stage(store, "closed", 1000))
    assert len(files(tmp_path)) == 1


async def test_putting_a_staged_file_does_no_file_work_on_the_loop(
    open_disk: OpenDisk, tmp_path: Path
) -> None:
    store = open_disk(max_bytes=100_000)
    await store.flush(60)
    entries = [stage(store, n, size) for n, size in ((1, 1000), (1, 1000), (2, 1000), (3, 30_000))]
    with locked(tmp_path), file_events() as events:
        assert [store.put(one) for one in entries] == [True, True, True, False]
        mine = list(events)
    await store.flush(60)
    assert threading.get_ident() not in {thread for _, thread in mine}
    assert len(files(tmp_path)) == 2


async def test_a_copy_takes_nobodys_place(open_disk: OpenDisk, tmp_path: Path) -> None:
    store = open_disk(destination="bucket")
    store.put(entry("a"))
    await store.flush(60)
    assert store.put(entry("a", variant=2, copy=True))
    assert store.put(stage(store, "a", HUGE, copy=True))
    await store.flush(60)
    assert await store.get(key("a")) == entry("a").blob
    assert files(tmp_path) == []
    stats = await store.stats()
    assert (stats.stored, stats.dirty, stats.queue_full) == (1, 1, 0)


async def test_a_copy_of_what_was_just_deleted_is_kept_and_not_what_was_there(open_disk: OpenDisk) -> None:
    store = open_disk()
    store.put(entry("a"))
    await store.flush(60)
    await store.delete(key("a"))
    store.put(entry("a", variant=2, copy=True))
    assert await store.get(key("a")) == entry("a", variant=2).blob
    await store.flush(60)
    assert await store.get(key("a")) == entry("a", variant=2).blob


COST = 10_000 + ROW_OVERHEAD
BOUNDS = {
    "the spool": {"spool_bytes": 5 * COST},
    "half the store": {"max_bytes": 11 * COST},
}


@pytest.mark.parametrize("bounds", BOUNDS.values(), ids=BOUNDS)
async def test_what_is_dirty_stays_within_bounds(open_disk: OpenDisk, bounds: dict[str, int]) -> None:
    store = open_disk(destination="bucket", **bounds)
    for n in range(8):
        store.put(entry(n, 10_000))
    await store.flush(60)
    stats = await store.stats()
    assert (stats.stored, stats.spool_full, stats.dirty, stats.entries) == (8, 3, 5, 8)
    assert stats.dirty_bytes == 5 * COST


async def test_256_mib_pass_through_without_being_held(open_disk: OpenDisk, tmp_path: Path) -> None:
    store = open_disk(max_bytes=1 << 31)
    path = store.stage()
    with path.open("wb") as file:
        file.truncate(256 << 20)
    assert store.put(entry("a", blob=Staged(path, 256 << 20)))
    await store.flush(60)
    got = await store.get(key("a"))
    assert isinstance(got, Large) and got.size == 256 << 20
    got.file.seek(-1, 2)
    assert got.file.read() == b"\0"
    got.file.close()
