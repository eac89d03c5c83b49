import asyncio
import sqlite3
from pathlib import Path

import pytest

from mitmcache.selection import About, Selection
from mitmcache.store import browse, ledger, rows
from mitmcache.store.base import StoreError
from mitmcache.store.blobs import INLINE_BYTES
from mitmcache.store.disk import DiskStore
from mitmcache.store.ledger import Due
from store.helpers import Clock, OpenDisk, files, locked, query
from store.samples import entry, key, stage

LARGE = INLINE_BYTES + 1


def about(n: int, generation: int = 0) -> About:
    return About("openai", "h", f"m{n % 3}", (f"t{n % 2}",), float(n), generation)


async def fill(store: DiskStore, clock: Clock, names: range, size: int = 1000) -> None:
    for n in names:
        clock.time += 1
        assert store.put(entry(n, size, about=about(n)))
    assert await store.flush(60)


async def test_what_was_put_is_due_until_it_is_uploaded_the_oldest_first(
    open_disk: OpenDisk, clock: Clock
) -> None:
    store = open_disk(destination="bucket")
    await fill(store, clock, range(5))
    store.put(entry("copy", copy=True))
    assert await store.flush(60)
    found = await store.due(99)
    assert [due.key for due in found] == [key(n) for n in range(5)]
    assert found[1] == Due(key(1), found[1].version, 1000, about(1), 0.0)
    assert [due.key for due in await store.due(2)] == [key(0), key(1)]
    assert [due.key for due in await store.due(2, {key(0), key(2)})] == [key(1), key(3)]
    assert store.waiting == 5
    for due in found[:3]:
        store.uploaded(due.key, due.version)
    assert [due.key for due in await store.due(99)] == [key(3), key(4)]
    await store.flush(60)
    assert query(store._folder, "SELECT count(*) FROM entries WHERE dirty = 'bucket'") == [(2,)]
    assert store.waiting == 2


async def test_what_is_said_to_be_uploaded_is_due_no_more_at_once(
    open_disk: OpenDisk, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_disk(destination="bucket")
    await fill(store, clock, range(3))
    with locked(tmp_path):
        for due in await store.due(2):
            store.uploaded(due.key, due.version)
        assert [due.key for due in await store.due(9)] == [key(2)]
        monkeypatch.setattr(ledger, "MAX_MARKS", 2)
        assert await store.due(9) == []


async def test_an_upload_of_what_has_been_replaced_meanwhile_leaves_the_new_one_due(
    open_disk: OpenDisk, clock: Clock
) -> None:
    store = open_disk(destination="bucket")
    await fill(store, clock, range(1))
    (before,) = await store.due(9)
    await fill(store, clock, range(1))
    store.uploaded(before.key, before.version)
    await store.flush(60)
    (after,) = await store.due(9)
    assert after.version != before.version


async def test_every_destination_has_its_own_due(open_disk: OpenDisk, clock: Clock) -> None:
    one, two, none = open_disk(destination="one"), open_disk(destination="two"), open_disk()
    await fill(one, clock, range(3))
    await fill(two, clock, range(3, 5))
    await fill(none, clock, range(5, 9))
    for store in (one, two, none):
        await store.flush(60)
    assert [len(await store.due(99)) for store in (one, two, none)] == [3, 2, 0]
    stats = [await store.stats() for store in (one, two, none)]
    assert [(s.dirty, s.dirty_ours) for s in stats] == [(5, 3), (5, 2), (5, 0)]
    assert stats[0].dirty_bytes * 3 == stats[0].dirty_ours_bytes * 5


async def test_selected_rows_come_page_by_page(
    open_disk: OpenDisk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browse, "SCANNED", 3)
    store = open_disk()
    await fill(store, clock, range(20))
    first = await store.select(Selection(tag="t1"), 4)
    second = await store.select(Selection(tag="t1"), 4, first[-1])
    third = await store.select(Selection(tag="t1"), 4, second[-1])
    assert [len(page) for page in (first, second, third)] == [4, 4, 2]
    assert {row.key for row in (*first, *second, *third)} == {key(n) for n in range(1, 20, 2)}
    assert await store.select(Selection(tag="t1"), 4, third[-1]) == []
    assert await store.select(Selection(), 0) == []


async def test_entries_and_their_bytes_are_counted(
    open_disk: OpenDisk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browse, "SCANNED", 3)
    store = open_disk()
    await fill(store, clock, range(10))
    await fill(store, clock, range(10, 12), LARGE)
    assert await store.count(Selection()) == (12, 10_000 + 2 * LARGE)
    assert await store.count(Selection(model="m[01]", tag="t1")) == (4, 4000)
    assert await store.count(Selection(provider="none")) == (0, 0)


async def test_removing_takes_rows_and_files_dirty_or_not_and_what_was_queued(
    open_disk: OpenDisk, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browse, "SCANNED", 3)
    store = open_disk(destination="bucket")
    await fill(store, clock, range(12), LARGE)
    store.put(entry(12, LARGE, about=about(12)))
    store.put(stage(store, 13, 100, about=about(13)))
    steps: list[int] = []
    assert await store.remove(Selection(model="m0"), steps.append) == 5 == sum(steps)
    assert len(steps) > 1
    assert await store.remove(Selection(model="m0")) == 0
    left = [n for n in range(14) if n % 3]
    assert [n for n in range(14) if await store.get(key(n)) is not None] == left
    assert len(files(tmp_path)) == len(left)
    await store.flush(60)
    stats = await store.stats()
    assert (stats.entries, stats.dirty) == (len(left), len(left))


async def test_with_a_generation_only_rows_of_older_ones_are_removed(open_disk: OpenDisk) -> None:
    store = open_disk()
    for n in range(6):
        store.put(entry(n, about=about(n, generation=n)))
    assert await store.remove(Selection(), generation=4) == 4
    assert [n for n in range(6) if await store.get(key(n)) is not None] == [4, 5]


async def test_a_row_that_is_replaced_while_it_is_being_removed_stays(
    open_disk: OpenDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_disk()
    store.put(entry(1, LARGE))
    page = browse.page

    def then_replace(db: sqlite3.Connection, **asked: object) -> browse.Page:
        found = page(db, **asked)  # type: ignore[arg-type]
        store.put(entry(1, LARGE, 2))
        return found

    monkeypatch.setattr(browse, "page", then_replace)
    assert await store.remove(Selection()) == 0
    assert await store.flush(60)
    assert await store.get(key(1)) == entry(1, LARGE, 2).blob
    assert len(files(tmp_path)) == 1


async def test_keys_are_found_by_how_they_begin(open_disk: OpenDisk, clock: Clock) -> None:
    store = open_disk()
    await fill(store, clock, range(30))
    assert await store.keys(key(3)[:12], 9) == [key(3)]
    assert len(await store.keys("", 9)) == 9


async def test_what_is_remembered_outlives_the_process_and_is_seen_by_others(open_disk: OpenDisk) -> None:
    one, two = open_disk(), open_disk()
    assert await one.recall("purges") is None
    await one.remember("purges", b"\0one")
    await two.remember("other", b"2")
    assert await two.recall("purges") == b"\0one"
    await two.remember("purges", b"two")
    assert await one.recall("purges") == b"two"
    for store in (one, two):
        await store.close(60)
    assert await open_disk().recall("purges") == b"two"


async def test_what_is_remembered_is_synced_and_nothing_else_is(
    open_disk: OpenDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    remember = rows.remember

    def look(db: sqlite3.Connection, name: str, value: bytes) -> None:
        seen.append(db.execute("PRAGMA synchronous").fetchone()[0])
        remember(db, name, value)

    monkeypatch.setattr(rows, "remember", look)
    store = open_disk()
    await store.remember("a", b"")
    seen.append(await store._write(lambda db: db.execute("PRAGMA synchronous").fetchone()[0]))
    assert seen == [2, 1]


@pytest.mark.parametrize("state", ["new", "closed"])
async def test_before_open_and_after_close_all_that_fails_is_a_store_error(
    tmp_path: Path, clock: Clock, state: str
) -> None:
    store = DiskStore(tmp_path, 1_000_000, now=clock, destination="bucket")
    if state == "closed":
        store.open()
        await store.close(60)
    store.uploaded(key(1), 1)
    for asked in (
        store.due(1),
        store.select(Selection(), 1),
        store.count(Selection()),
        store.remove(Selection()),
        store.keys("", 1),
        store.recall("a"),
        store.remember("a", b""),
    ):
        with pytest.raises(StoreError):
            await asked


async def test_a_disk_that_fails_or_hangs_is_a_store_error(
    open_disk: OpenDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "WRITE_SECONDS", 0.01)
    store = open_disk(destination="bucket")
    await store.flush(60)
    with locked(tmp_path):
        with pytest.raises(StoreError, match="slow"):
            await store.remember("a", b"1")
        store.put(entry(1))
        with pytest.raises(StoreError, match="slow"):
            await store.remove(Selection())
    monkeypatch.setattr(ledger, "WRITE_SECONDS", 30)
    query(tmp_path, "ALTER TABLE meta RENAME TO elsewhere")
    with pytest.raises(StoreError, match="no such table"):
        await store.remember("a", b"1")
    query(tmp_path, "ALTER TABLE elsewhere RENAME TO meta")
    await store.remember("a", b"2")
    assert await asyncio.wait_for(store.recall("a"), 60) == b"2"
