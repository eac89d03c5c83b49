"""The statements, each on a database of its own."""

import sqlite3

import pytest

from mitmcache.selection import About
from mitmcache.store import rows
from mitmcache.store.base import Entry
from mitmcache.store.rows import File, Totals
from mitmcache.store.tables import ROW_OVERHEAD

A, B, C = (letter * 64 for letter in "abc")


def put(
    db: sqlite3.Connection,
    key: str,
    at: float = 1.0,
    *,
    blob: bytes = b"blob",
    version: int = 1,
    dirty: str = "",
    only_if_newer: bool = False,
    **more: object,
) -> bool:
    entry = Entry(key, blob, **more)  # type: ignore[arg-type]  # the caller names Entry's own fields
    return rows.put(db, entry, version, at, blob, dirty, only_if_newer=only_if_newer)


def put_file(db: sqlite3.Connection, key: str, version: int) -> None:
    rows.put(db, Entry(key, b"12345"), version, 1.0, None)


def test_a_row_is_found_with_its_version_size_and_blob(db: sqlite3.Connection) -> None:
    put(db, A, blob=b"12345", version=7)
    assert (rows.find(db, A), rows.find(db, B)) == ((7, 5, b"12345"), None)
    assert rows.file_of(db, A) is None


def test_a_row_whose_blob_is_in_a_file_has_none(db: sqlite3.Connection) -> None:
    put_file(db, A, 7)
    assert rows.find(db, A) == (7, 5, None)
    assert rows.file_of(db, A) == File(A, 7)
    assert rows.file_of(db, B) is None


ABOUT = {
    "nothing is known": About(),
    "all": About(
        "openai", "api.openai.com", "gpt-4o", ("a", "b,c", '"]', "\ud800", ""), 1_700_000_000.123, 17
    ),
    "a tag that looks like two": About(tags=("a b", "a,b", '["a","b"]')),
}


@pytest.mark.parametrize("about", ABOUT.values(), ids=ABOUT)
def test_what_is_known_of_an_entry_comes_back_as_it_was(db: sqlite3.Connection, about: About) -> None:
    put(db, A, about=About("x", "y", "z", ("old",), 9.0, 9))
    put(db, A, about=about)
    (columns,) = db.execute(f"SELECT {rows.ABOUT} FROM entries")
    assert rows.about(columns) == about


@pytest.mark.parametrize(
    ("dirty", "created", "replaced"),
    [("", 4.0, False), ("", 5.0, False), ("", 6.0, True), ("bucket", 6.0, False)],
    ids=["older", "as young", "newer", "newer, but the row is still to be uploaded"],
)
def test_only_if_newer_leaves_every_column_of_a_row_that_is_as_young_or_dirty(
    db: sqlite3.Connection, dirty: str, created: float, replaced: bool
) -> None:
    assert put(db, A, dirty=dirty, group="g", about=About(created=5.0))
    before = db.execute("SELECT * FROM entries").fetchall()
    about = About(created=created)
    assert put(db, A, 9.0, version=2, blob=b"other", about=about, only_if_newer=True) is replaced
    assert (db.execute("SELECT * FROM entries").fetchall() != before) is replaced
    assert put(db, B, only_if_newer=True)


def test_a_version_grows_with_age_and_is_another_at_the_same_instant() -> None:
    at = [rows.new_version(1_700_000_000.0) for _ in range(50)]
    assert len(set(at)) > 40
    assert max(at) < rows.new_version(1_700_000_000.001)
    assert all(version & rows.CHANCE for version in at)


def test_dirty_rows_are_counted_by_destination_whatever_becomes_of_them(db: sqlite3.Connection) -> None:
    cost = ROW_OVERHEAD + len(b"blob")
    put(db, A, dirty="one")
    put(db, B, dirty="one", shape=b"123")
    put(db, C, dirty="two")
    assert rows.spooled(db) == {"one": Totals(2, 2 * cost + 3), "two": Totals(1, cost)}
    put(db, A, dirty="two", blob=b"longer", version=2)
    put(db, C, dirty="")
    assert rows.spooled(db) == {"one": Totals(1, cost + 3), "two": Totals(1, cost + 2)}
    rows.clean(db, [File(A, 1)])  # it has changed since
    assert rows.spooled(db)["two"] == Totals(1, cost + 2)
    rows.clean(db, [File(A, 2)])
    rows.delete(db, B)
    assert rows.spooled(db) == {}
    assert rows.totals(db) == (2, 2 * cost + 2)


def test_dirty_rows_are_no_victims_before_they_expire(db: sqlite3.Connection) -> None:
    put(db, A, 1.0, dirty="one")
    put(db, B, 2.0)
    put(db, C, 3.0, dirty="two", expires=50.0)
    assert [victim.key for victim in rows.victims(db, 10.0, 9)] == [B]
    assert [victim.key for victim in rows.victims(db, 50.0, 9)] == [C]
    rows.clean(db, [File(A, 1)])
    assert [victim.key for victim in rows.victims(db, 10.0, 9)] == [A, B]


def test_only_the_version_that_was_meant_is_removed(db: sqlite3.Connection) -> None:
    put(db, A, version=2)
    put(db, B, version=3)
    assert rows.remove(db, [File(A, 1), File(B, 3), File(C, 1)]) == 1
    assert rows.find(db, A) and not rows.find(db, B)


def test_what_is_remembered_is_recalled_and_hides_nothing_of_the_databases_own(
    db: sqlite3.Connection,
) -> None:
    for value in (b"", b"one", b"two"):
        rows.remember(db, "version", value)
        assert rows.recall(db, "version") == value
    assert rows.recall(db, "shape_secret") is None


def test_totals_follow_every_put_replacement_and_delete(db: sqlite3.Connection) -> None:
    put(db, A, blob=b"12345", shape=b"12")
    put(db, B, blob=b"1")
    put(db, A, blob=b"123", shape=b"1")
    assert rows.totals(db) == (2, 3 + 1 + 1 + 2 * ROW_OVERHEAD)
    rows.delete(db, A)
    assert rows.totals(db) == (1, 1 + ROW_OVERHEAD)


def test_the_expired_go_first_and_then_the_least_recently_used(db: sqlite3.Connection) -> None:
    put(db, A, 1.0)
    put(db, B, 3.0, expires=50.0)
    put(db, C, 2.0, expires=500.0)
    assert [victim.key for victim in rows.victims(db, 100.0, 9)] == [B]
    assert [victim.key for victim in rows.victims(db, 10.0, 2)] == [A, C]
    rows.remove(db, [victim.file for victim in rows.victims(db, 100.0, 9)])
    assert rows.find(db, B) is None and rows.totals(db).entries == 2


def test_a_use_is_noted_and_never_one_from_before(db: sqlite3.Connection) -> None:
    put(db, A, 5.0)
    put(db, B, 4.0)
    rows.touch(db, {A: 1.0, B: 6.0})
    assert [victim.key for victim in rows.victims(db, 100.0, 9)] == [A, B]


def test_shapes_are_those_of_the_group_the_latest_used_first(db: sqlite3.Connection) -> None:
    put(db, A, 1.0, group="g", shape=b"a")
    put(db, B, 2.0, group="g", shape=b"b")
    put(db, C, 3.0, group="g")
    put(db, "d" * 64, 4.0, group="other", shape=b"d")
    assert rows.shapes(db, "g", 9) == [(B, b"b"), (A, b"a")]
    assert rows.shapes(db, "g", 1) == [(B, b"b")]
