"""What the writer counts, whom it tells, and what it leaves on the disk when it fails."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mitmcache.store import commit, rows, schema
from mitmcache.store.base import Staged
from mitmcache.store.blobs import INLINE_BYTES
from store.helpers import OpenDisk, files, locked, warnings
from store.samples import entry, key, stage

LARGE = INLINE_BYTES + 1


@pytest.mark.parametrize("staged", [False, True])
async def test_a_commit_that_fails_takes_its_files_with_it(
    open_disk: OpenDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, staged: bool
) -> None:
    @contextmanager
    def fails_at_its_end(db: sqlite3.Connection) -> Iterator[None]:
        with schema.transaction(db):
            yield
            raise sqlite3.OperationalError("database or disk is full")

    store = open_disk()
    monkeypatch.setattr(commit, "transaction", fails_at_its_end)
    store.put(stage(store, "a", LARGE) if staged else entry("a", LARGE))
    assert await store.flush(60)
    stats = await store.stats()
    assert (stats.write_failed, stats.stored) == (1, 0)
    assert files(tmp_path) == []


async def test_one_staged_file_that_is_missing_does_not_take_its_batch_with_it(
    open_disk: OpenDisk, tmp_path: Path
) -> None:
    store = open_disk()
    await store.flush(60)
    with locked(tmp_path):
        for n in range(6):
            store.put(stage(store, n, LARGE) if n % 2 else entry(n))
        store.put(entry("missing", blob=Staged(store.stage(), 5)))
    assert await store.flush(60)
    stats = await store.stats()
    assert (stats.stored, stats.write_failed) == (6, 1)
    assert [n for n in range(6) if await store.get(key(n)) != entry(n, LARGE if n % 2 else 1000).blob] == []


async def test_what_counts_as_stored_is_committed_and_no_copy(open_disk: OpenDisk, tmp_path: Path) -> None:
    store = open_disk()
    await store.flush(60)
    with locked(tmp_path):
        for n in range(10):
            store.put(entry(n, copy=n % 2 == 0))
        assert (await store.stats()).stored == 0
    await store.flush(60)
    assert (await store.stats()).stored == 5


async def test_a_put_is_written_without_being_waited_for(open_disk: OpenDisk) -> None:
    written = threading.Event()
    store = open_disk(destination="bucket", on_dirty=written.set)
    store.put(entry("a"))
    assert await asyncio.to_thread(written.wait, 60)


async def test_whoever_uploads_is_told_of_every_batch_that_has_something_to_upload(
    open_disk: OpenDisk, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[int] = []

    def tell() -> None:
        told.append(threading.get_ident())
        raise RuntimeError("not ours")

    store = open_disk(destination="bucket")
    store.on_dirty = tell
    for n in range(4):
        store.put(entry(n, copy=n == 1))
        assert await store.flush(60)
    assert len(told) == 3
    assert threading.get_ident() not in told
    assert len(warnings(caplog)) == 1


async def test_uploads_that_cannot_be_noted_are_noted_when_the_disk_works_again(
    open_disk: OpenDisk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(db: sqlite3.Connection, marks: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    store = open_disk(destination="bucket")
    store.put(entry("a"))
    await store.flush(60)
    (due,) = await store.due(9)
    with monkeypatch.context() as patched:
        patched.setattr(rows, "clean", fail)
        store.uploaded(due.key, due.version)
        await store.flush(60)
        assert (await store.stats()).dirty == 1
        assert await store.due(9) == []  # or it would be uploaded over and over
    await store.flush(60)
    assert (await store.stats()).dirty == 0
    assert len(warnings(caplog)) == 1
