import asyncio
import threading
from pathlib import Path

import pytest

from mitmcache.store.base import Entry, StoreError
from mitmcache.store.blobs import INLINE_BYTES, Blobs
from mitmcache.store.disk import DiskStore
from mitmcache.store.rows import DiskStats, File
from mitmcache.store.tables import ROW_OVERHEAD
from store.helpers import Clock, OpenDisk, file_events, files, locked, names, query
from store.samples import belongs, entry, key

LARGE = INLINE_BYTES + 1


@pytest.mark.parametrize("size", [1000, LARGE])
async def test_entries_survive_a_restart(open_disk: OpenDisk, size: int) -> None:
    store = open_disk()
    store.put(entry("a", size))
    await store.close(60)
    assert await open_disk().get(key("a")) == entry("a", size).blob


async def test_close_writes_what_is_queued_and_leaves_one_database_file(
    open_disk: OpenDisk, tmp_path: Path
) -> None:
    store = open_disk()
    for n in range(300):
        store.put(entry(n))
    await store.get(key("none"))  # opens a reader
    await store.close(60)
    assert query(tmp_path, "SELECT count(*) FROM entries") == [(300,)]
    assert names(tmp_path, "cache.sqlite3*") == ["cache.sqlite3"]


@pytest.mark.parametrize(("size", "in_file"), [(INLINE_BYTES, False), (LARGE, True)])
async def test_only_values_over_64_kib_are_files(
    open_disk: OpenDisk, tmp_path: Path, size: int, in_file: bool
) -> None:
    store = open_disk()
    store.put(entry("a", size))
    await store.flush(60)
    assert [(file.parent.name, file.name.split(".")[0]) for file in files(tmp_path)] == (
        [(key("a")[:2], key("a"))] if in_file else []
    )
    assert query(tmp_path, "SELECT size, blob IS NULL FROM entries") == [(size, in_file)]


@pytest.mark.parametrize("after", [None, 1000], ids=["deleted", "replaced by a small one"])
async def test_the_file_goes_with_its_entry(open_disk: OpenDisk, tmp_path: Path, after: int | None) -> None:
    store = open_disk()
    store.put(entry("a", LARGE))
    await store.flush(60)
    if after:
        store.put(entry("a", after))
    else:
        await store.delete(key("a"))
    await store.flush(60)
    assert files(tmp_path) == []


@pytest.mark.parametrize("exists", [False, True])
async def test_nobody_else_can_read_the_folder(open_disk: OpenDisk, tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "deep" / "cache"
    if exists:
        folder.mkdir(mode=0o755, parents=True)
    store = open_disk(folder)
    store.put(entry("a", LARGE))
    await store.flush(60)
    modes = {path.relative_to(folder): oct(path.stat().st_mode & 0o777) for path in folder.rglob("*")}
    expected = {path: "0o700" if (folder / path).is_dir() else "0o600" for path in modes}
    assert modes == expected
    assert oct(folder.stat().st_mode & 0o777) == "0o700"


async def test_a_get_while_the_put_is_pending_sees_it(open_disk: OpenDisk, tmp_path: Path) -> None:
    store = open_disk()
    store.put(entry("a", variant=1))
    store.put(entry("b"))
    await store.flush(60)
    with locked(tmp_path):
        store.put(entry("a", variant=2))
        await store.delete(key("b"))
        assert await store.get(key("a")) == entry("a", variant=2).blob
        assert await store.get(key("b")) is None
        assert query(tmp_path, "SELECT count(*) FROM entries") == [(2,)]
    await store.flush(60)
    assert await store.get(key("a")) == entry("a", variant=2).blob
    assert await store.get(key("b")) is None


async def test_put_does_no_file_work_on_the_calling_thread(open_disk: OpenDisk, tmp_path: Path) -> None:
    store = open_disk()
    await store.flush(60)
    with file_events() as events:
        with locked(tmp_path):
            for n in range(200):
                assert store.put(entry(n, LARGE))
            before = list(events)  # the loop was not left meanwhile, and the writer waits for the lock
            assert query(tmp_path, "SELECT count(*) FROM entries") == [(0,)]
        assert await store.flush(60)
    loop = threading.get_ident()
    assert {event for event, thread in before if thread == loop} <= {
        "sqlite3.connect",
        "sqlite3.connect/handle",
    }
    movers = {thread for event, thread in events if event == "open"}
    assert movers and loop not in movers
    assert (await store.stats()).entries == 200


async def test_a_full_queue_says_no_and_counts_it(open_disk: OpenDisk, tmp_path: Path) -> None:
    store = open_disk(queue_entries=100)
    with locked(tmp_path):
        taken = [store.put(entry(n)) for n in range(103)]
        assert taken == [True] * 100 + [False] * 3
        assert (await store.stats()).queue_full == 3
        assert await store.get(key(101)) is None
    await store.flush(60)
    assert store.put(entry(101))


async def test_an_entry_over_a_quarter_of_the_store_is_not_taken(open_disk: OpenDisk) -> None:
    store = open_disk(max_bytes=1_000_000)
    assert not store.put(entry("a", 250_000))
    assert store.put(entry("a", 250_000 - ROW_OVERHEAD))


async def test_stats_count_rows_and_bytes_whatever_becomes_of_them(open_disk: OpenDisk) -> None:
    store = open_disk()
    for n in range(10):
        store.put(entry(n, shape=b"s" * 50))
    store.put(entry("large", LARGE))
    await store.flush(60)
    size = 10 * (1000 + 50 + ROW_OVERHEAD) + LARGE + ROW_OVERHEAD
    assert await store.stats() == DiskStats(11, size, 0, 0, stored=11)
    store.put(entry(0, 2000))
    await store.delete(key("large"))
    await store.delete(key(1))
    await store.delete(key("none"))
    await store.flush(60)
    size = 8 * (1000 + 50 + ROW_OVERHEAD) + 2000 + ROW_OVERHEAD
    assert await store.stats() == DiskStats(9, size, 0, 0, stored=12)


async def test_nearest_gives_the_groups_shapes_the_last_used_first(open_disk: OpenDisk, clock: Clock) -> None:
    store = open_disk()
    for n in range(5):
        clock.time += 1
        store.put(entry(n, group="g", shape=b"%d" % n))
    store.put(entry("other", group="h", shape=b"h"))
    store.put(entry("none", group="g"))
    await store.flush(60)
    assert [shape for _, shape in await store.nearest("g")] == [b"4", b"3", b"2", b"1", b"0"]
    clock.time += 1
    await store.get(key(1))
    await store.flush(60)
    assert [shape for _, shape in await store.nearest("g", 2)] == [b"1", b"4"]
    assert await store.nearest("unknown") == []


async def test_nearest_sees_what_is_pending(open_disk: OpenDisk, tmp_path: Path) -> None:
    store = open_disk()
    for n in range(3):
        store.put(entry(n, group="g", shape=b"old%d" % n))
    await store.flush(60)
    with locked(tmp_path):
        store.put(entry(0, group="g", shape=b"new0"))
        store.put(entry(3, group="g", shape=b"new3"))
        await store.delete(key(1))
        assert [shape for _, shape in await store.nearest("g")] == [b"new3", b"new0", b"old2"]
        assert [shape for _, shape in await store.nearest("g", 1)] == [b"new3"]


@pytest.mark.parametrize("damage", ["missing", "short", "long", "empty"])
async def test_a_blob_file_that_is_not_whole_is_a_miss(
    open_disk: OpenDisk, tmp_path: Path, damage: str
) -> None:
    store = open_disk()
    store.put(entry("a", LARGE))
    await store.flush(60)
    (file,) = files(tmp_path)
    blob = file.read_bytes()
    file.unlink()
    if damage != "missing":
        file.write_bytes({"short": blob[:-1], "long": blob + b"x", "empty": b""}[damage])
    assert await store.get(key("a")) is None
    store.put(entry("a", LARGE, 2))
    await store.flush(60)
    assert await store.get(key("a")) == entry("a", LARGE, 2).blob


async def test_a_file_replaced_between_the_row_and_its_reading_is_not_a_miss(
    open_disk: OpenDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_disk()
    store.put(entry("a", LARGE))
    await store.flush(60)

    def too_late(self: Blobs, file: File, size: int) -> None:
        query(tmp_path, "UPDATE entries SET size = 3, blob = x'6e6577'")

    monkeypatch.setattr(Blobs, "read", too_late)
    assert await store.get(key("a")) == b"new"


async def test_two_stores_on_one_folder_see_each_others_entries(open_disk: OpenDisk) -> None:
    one, two = open_disk(), open_disk()
    assert one.secret == two.secret

    async def fill(store: DiskStore, variant: int) -> None:
        for n in range(150):
            size = (600, 20_000, 90_000)[n % 3]
            assert store.put(entry(n, size, variant))
            if n % 20 == 0:
                blob = await store.get(key(n // 2))
                assert blob is None or belongs(key(n // 2), blob)

    await asyncio.gather(fill(one, 1), fill(two, 2))
    assert await one.flush(60)
    assert await two.flush(60)
    for n in range(150):
        blob = await one.get(key(n))
        assert blob is not None and belongs(key(n), blob)
        assert blob == await two.get(key(n))
    await one.delete(key(0))
    await one.flush(60)
    await two.flush(60)
    assert await two.get(key(0)) is None
    assert (await one.stats()).entries == (await two.stats()).entries == 149


async def test_before_open_and_after_close_nothing_is_taken(tmp_path: Path, clock: Clock) -> None:
    store = DiskStore(tmp_path, 1_000_000, now=clock)
    for state in ("new", "closed"):
        assert not store.put(Entry(key("a"), b"x"))
        assert not await store.flush(1000)  # at once
        for act in (store.get, store.delete, store.nearest):
            with pytest.raises(StoreError):
                await act(key("a"))
        if state == "new":
            store.open()
            await store.close(60)
