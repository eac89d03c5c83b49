"""The statements, each on a database of its own."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mitmcache.store import rows, schema
from mitmcache.store.base import Entry
from mitmcache.store.schema import ROW_OVERHEAD

A, B, C = (letter * 64 for letter in "abc")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    made, _ = schema.open_database(tmp_path)
    with closing(made):
        yield made


def put(db: sqlite3.Connection, key: str, at: float = 1.0, *, blob: bytes = b"blob", **entry: object) -> None:
    rows.put(db, Entry(key, blob, **entry), at, inline=True)  # type: ignore[arg-type]


def test_a_row_is_found_with_its_size_and_blob(db: sqlite3.Connection) -> None:
    put(db, A, blob=b"12345")
    assert (rows.find(db, A), rows.find(db, B)) == ((5, b"12345"), None)
    assert not rows.in_file(db, A)


def test_a_row_whose_blob_is_in_a_file_has_none(db: sqlite3.Connection) -> None:
    rows.put(db, Entry(A, b"12345"), 1.0, inline=False)
    assert rows.find(db, A) == (5, None)
    assert rows.in_file(db, A) and not rows.in_file(db, B)


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
    rows.evict(db, rows.victims(db, 100.0, 9))
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
