import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mitmcache.store import commit, rows, schema
from mitmcache.store.base import Entry, Staged
from mitmcache.store.blobs import INLINE_BYTES, Blobs
from mitmcache.store.commit import Committer, Done
from mitmcache.store.pending import Change
from mitmcache.store.rows import File
from mitmcache.store.tables import ROW_OVERHEAD
from store.helpers import files
from store.samples import blob, entry, key

LARGE = INLINE_BYTES + 1
COST = 1000 + ROW_OVERHEAD


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    made = Blobs(tmp_path)
    made.create()
    return made


def put(entry: Entry, version: int = 1, *, over: bool = True) -> Change:
    return Change(entry.key, entry, 1.0, 1, version, over)


def staged(blobs: Blobs, name: object, size: int, **more: object) -> Entry:
    path = blobs.stage()
    path.write_bytes(blob(key(name), size))
    return replace(Entry(key(name), Staged(path, size)), **more)  # type: ignore[arg-type]  # Entry's fields


def dirty(db: sqlite3.Connection) -> dict[str, str]:
    return dict(db.execute("SELECT key, dirty FROM entries"))


def test_a_batch_of_puts_and_deletes_is_written(db: sqlite3.Connection, blobs: Blobs, tmp_path: Path) -> None:
    committer = Committer(db, blobs, "", 0)
    committer.commit([put(entry("gone", LARGE)), put(entry("old", LARGE))])
    done = committer.commit(
        [
            put(entry("small")),
            put(entry("file", LARGE)),
            put(staged(blobs, "staged", 100)),
            put(entry("old", LARGE, 2), 2),
            Change(key("gone"), None, 1.0, 1, 0),
        ]
    )
    assert (done.stored, done.dirty, done.spool_full) == (4, 0, 0)
    assert sorted(files(tmp_path)) == sorted(
        blobs.path(File(key(name), version)) for name, version in (("file", 1), ("staged", 1), ("old", 2))
    )
    assert blobs.read(File(key("staged"), 1), 100) == blob(key("staged"), 100)
    assert blobs.read(File(key("old"), 2), LARGE) == entry("old", LARGE, 2).blob


def test_with_a_destination_all_but_copies_are_dirty_for_it(db: sqlite3.Connection, blobs: Blobs) -> None:
    done = Committer(db, blobs, "bucket", 1 << 30).commit([put(entry("a")), put(entry("b", copy=True))])
    assert dirty(db) == {key("a"): "bucket", key("b"): ""}
    assert done == Done(stored=1, dirty=1)


def test_beyond_the_spools_room_entries_are_kept_and_not_uploaded(
    db: sqlite3.Connection, blobs: Blobs
) -> None:
    """The room is shared by all destinations, and by the batches."""
    Committer(db, blobs, "elsewhere", 1 << 30).commit([put(entry("a"))])
    committer = Committer(db, blobs, "bucket", 4 * COST)
    done = [committer.commit([put(entry(n)), put(entry(n + 1))]) for n in (0, 2)]
    assert done == [Done(stored=2, dirty=2), Done(stored=2, dirty=1, spool_full=1)]
    assert dirty(db)[key(3)] == ""
    rows.clean(db, [File(key(0), 1)])
    assert committer.commit([put(entry(3), 2)]) == Done(stored=1, dirty=1)


COPIES = {
    "in a row": (1000, 1000),
    "in a file": (LARGE, LARGE),
    "a file beside a row": (1000, LARGE),
    "a row beside a file": (LARGE, 1000),
}


@pytest.mark.parametrize(("there", "copied"), COPIES.values(), ids=COPIES)
def test_a_copy_does_not_replace_a_row_and_leaves_no_file(
    db: sqlite3.Connection, blobs: Blobs, tmp_path: Path, there: int, copied: int
) -> None:
    committer = Committer(db, blobs, "bucket", 1 << 30)
    committer.commit([put(entry("a", there), 1)])
    before = files(tmp_path)
    committer.commit([put(entry("a", copied, 2, copy=True), 2, over=False)])
    committer.commit([put(staged(blobs, "a", copied, copy=True), 3, over=False)])
    found = rows.find(db, key("a"))
    assert found and (found.version, dirty(db)) == (1, {key("a"): "bucket"})
    assert files(tmp_path) == before


@contextmanager
def fails_at_its_end(db: sqlite3.Connection) -> Iterator[None]:
    with schema.transaction(db):
        yield
        raise sqlite3.OperationalError("database or disk is full")


def test_a_batch_that_fails_changes_nothing_and_can_be_tried_again(
    db: sqlite3.Connection, blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committer = Committer(db, blobs, "", 0)
    committer.commit([put(entry("a", LARGE))])
    kept = files(tmp_path)
    batch = [put(entry("a", LARGE, 2), 2), put(staged(blobs, "b", LARGE))]
    with monkeypatch.context() as patched:
        patched.setattr(commit, "transaction", fails_at_its_end)
        with pytest.raises(sqlite3.OperationalError):
            committer.commit(batch)
    assert rows.find(db, key("a")) == (1, LARGE, None)
    assert blobs.read(File(key("a"), 1), LARGE) == entry("a", LARGE).blob
    committer.commit(batch)
    assert blobs.read(File(key("a"), 2), LARGE) == entry("a", LARGE, 2).blob
    assert blobs.read(File(key("b"), 1), LARGE) == blob(key("b"), LARGE)
    assert kept[0] not in files(tmp_path) and len(files(tmp_path)) == 2


@pytest.mark.parametrize("tried", [False, True])
def test_what_is_given_up_leaves_no_file_wherever_it_had_got_to(
    db: sqlite3.Connection, blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tried: bool
) -> None:
    monkeypatch.setattr(commit, "transaction", fails_at_its_end)
    committer = Committer(db, blobs, "", 0)
    change = put(staged(blobs, "a", LARGE))
    if tried:
        with pytest.raises(sqlite3.OperationalError):
            committer.commit([change])
    assert len(files(tmp_path)) == 1
    committer.give_up(change)
    committer.give_up(put(entry("b", LARGE)))
    assert files(tmp_path) == []


def test_a_staged_file_that_is_not_there_fails(db: sqlite3.Connection, blobs: Blobs) -> None:
    with pytest.raises(FileNotFoundError):
        Committer(db, blobs, "", 0).commit([put(entry("a", blob=Staged(blobs.stage(), 5)))])
    assert rows.find(db, key("a")) is None


def test_a_row_is_committed_after_its_file_is_whole_and_before_the_old_ones_goes(
    db: sqlite3.Connection, blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What kill -9 can leave follows from this order."""
    seen: list[list[int]] = []

    @contextmanager
    def look(db: sqlite3.Connection) -> Iterator[None]:
        seen.append(sorted(file.stat().st_size for file in files(tmp_path)))
        with schema.transaction(db):
            yield
        seen.append(sorted(file.stat().st_size for file in files(tmp_path)))

    committer = Committer(db, blobs, "", 0)
    committer.commit([put(entry("a", LARGE))])
    monkeypatch.setattr(commit, "transaction", look)
    committer.commit([put(entry("a", LARGE + 1), 2), put(staged(blobs, "b", LARGE + 2))])
    assert seen == [[LARGE, LARGE + 1, LARGE + 2]] * 2
    assert len(files(tmp_path)) == 2
