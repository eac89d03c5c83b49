import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from mitmcache.store import schema, writer
from mitmcache.store.absent import Absent
from mitmcache.store.blobs import INLINE_BYTES, Blobs
from mitmcache.store.commit import Committer, Done
from mitmcache.store.errands import Errands
from mitmcache.store.pending import Change, Pending
from mitmcache.store.schema import DATABASE
from mitmcache.store.upkeep import Upkeep
from store.helpers import Clock, OpenDisk, Tmpfs, files, locked, query, warnings
from store.samples import entry, key

LARGE = INLINE_BYTES + 1


@pytest.mark.parametrize("size", [30_000, 200_000], ids=["rows", "files"])
async def test_a_full_disk_loses_new_entries_only_says_so_once_and_works_again_when_there_is_room(
    tmpfs: Tmpfs, open_disk: OpenDisk, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    store = open_disk(tmpfs.folder)
    ballast = tmpfs.folder / "ballast"
    ballast.write_bytes(bytes(2_000_000))
    count = 6_000_000 // size
    for n in range(count):
        assert store.put(entry(n, size))
        if n % 10 == 9:
            assert await store.flush(60)
    assert await store.flush(60)
    stats = await store.stats()
    assert stats.write_failed > 0
    assert stats.entries + stats.write_failed == count
    got = [await store.get(key(n)) for n in range(count)]
    assert [blob for n, blob in enumerate(got) if blob not in (None, entry(n, size).blob)] == []
    assert count - got.count(None) == stats.entries > 0
    assert len(files(tmpfs.folder)) == (stats.entries if size > INLINE_BYTES else 0)
    assert len(warnings(caplog)) == 1
    assert str(tmpfs.folder) in warnings(caplog)[0]
    ballast.unlink()
    store.put(entry("after", size))
    assert await store.flush(60)
    assert query(tmpfs.folder, f"SELECT count(*) FROM entries WHERE key = '{key('after')}'") == [(1,)]
    assert (await store.stats()).write_failed == stats.write_failed


@pytest.mark.parametrize("size", [1000, LARGE])
async def test_one_bad_entry_does_not_take_its_batch_with_it(
    open_disk: OpenDisk, tmp_path: Path, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    store = open_disk()
    await store.flush(60)
    with locked(tmp_path):  # so that all are one batch
        for n in range(20):
            store.put(entry(n, size, group="\ud800" if n == 7 else "g"))
    assert await store.flush(60)
    stats = await store.stats()
    assert (stats.entries, stats.write_failed) == (19, 1)
    assert [n for n in range(20) if await store.get(key(n)) != entry(n, size).blob] == [7]
    assert len(files(tmp_path)) == (19 if size == LARGE else 0)
    assert len(warnings(caplog)) == 1


async def test_a_database_locked_for_too_long_drops_the_batch_and_the_writer_goes_on(
    open_disk: OpenDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    attempts: list[int] = []
    commit = Committer.commit
    all_put = threading.Event()

    def count(self: Committer, batch: list[Change]) -> Done:
        assert all_put.wait(60)
        attempts.append(len(batch))
        return commit(self, batch)

    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.05)
    store = open_disk()
    store.put(entry("a", LARGE))
    await store.flush(60)
    monkeypatch.setattr(Committer, "commit", count)
    with locked(tmp_path):
        for n in range(10):
            store.put(entry(n, LARGE))
        all_put.set()
        assert await store.flush(60)
        assert (await store.stats()).write_failed == 10
        assert await store.get(key(1)) is None
        assert await store.get(key("a")) == entry("a", LARGE).blob
    assert len(attempts) < 10  # not a wait for each
    assert len(files(tmp_path)) == 1
    store.put(entry("b", LARGE))
    assert await store.flush(60)
    assert await store.get(key("b")) == entry("b", LARGE).blob
    assert len([text for text in warnings(caplog) if "writing" in text]) == 1


async def test_a_second_episode_is_said_again(
    open_disk: OpenDisk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writer, "EPISODE_SECONDS", 0)
    store = open_disk()
    for n, group in enumerate(("\ud800", "g", "\ud800")):
        store.put(entry(n, group=group))
        await store.flush(60)
    assert len(warnings(caplog)) == 2


async def test_no_key_and_no_value_is_in_the_log(
    open_disk: OpenDisk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_disk()
    (tmp_path / "blobs" / key("a")[:2]).write_bytes(b"in the way of a folder")
    store.put(entry("a", LARGE))
    await store.flush(60)
    assert (await store.stats()).write_failed == 1
    assert warnings(caplog)
    assert key("a") not in caplog.text


async def test_close_gives_up_at_its_deadline_and_says_so(
    open_disk: OpenDisk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_disk()
    with locked(tmp_path):
        store.put(entry("a"))
        assert not await store.flush(0.01)
        await store.close(0.01)
        assert "not all was written in time" in caplog.text
    await store.close(60)  # the writer has not stopped, and ends now
    assert query(tmp_path, "SELECT count(*) FROM entries") == [(1,)]


async def test_uses_are_noted_even_when_the_store_is_closed_at_once(
    open_disk: OpenDisk, tmp_path: Path, clock: Clock
) -> None:
    store = open_disk()
    store.put(entry("a"))
    await store.close(60)
    db, _ = schema.open_database(tmp_path)
    errands = Errands(lambda: None)
    blobs = Blobs(tmp_path)
    pending = Pending(1000, 1000, 1000, errands.drop)
    pending.touch(key("a"), clock.time + 5)
    pending.close()
    upkeep = Upkeep(db, blobs, pending, 1_000_000, clock)
    committer = Committer(db, blobs, "", 0)
    last = writer.Writer(tmp_path, db, pending, errands, committer, upkeep, Absent(pending.wake))
    last.start()
    assert await last.ended(10)
    assert query(tmp_path, "SELECT used FROM entries") == [(clock.time + 5,)]


@pytest.mark.parametrize("table", ["entries", "totals"])
async def test_a_database_that_another_program_spoils_stops_neither_reads_of_what_is_left_nor_the_writer(
    open_disk: OpenDisk, tmp_path: Path, caplog: pytest.LogCaptureFixture, table: str
) -> None:
    store = open_disk()
    store.put(entry("a", LARGE))
    await store.flush(60)
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as db:
        db.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
    for n in range(3):
        store.put(entry(n))
        assert await store.flush(60)
    stats = await store.stats()
    assert (stats.write_failed, stats.failing) == (3 * (table == "entries"), table == "entries")
    assert 1 <= len(warnings(caplog)) <= 2
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as db:
        db.execute(f"ALTER TABLE elsewhere RENAME TO {table}")
    store.put(entry("b"))
    assert await store.flush(60)
    assert await store.get(key("b")) == entry("b").blob
    assert await store.get(key("a")) == entry("a", LARGE).blob
