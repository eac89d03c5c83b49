import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitmcache.selection import About, Selection
from mitmcache.store import browse, rows, schema
from mitmcache.store.base import Entry
from store.samples import key


@contextmanager
def database(abouts: list[About], folder: Path) -> Iterator[sqlite3.Connection]:
    db, _ = schema.open_database(folder)
    with closing(db):
        for n, about in enumerate(abouts):
            rows.put(db, Entry(key(n), b"blob", about=about), n + 1, 1.0, b"blob", "bucket" if n % 2 else "")
        yield db


def walk(db: sqlite3.Connection, selection: Selection, limit: int) -> list[list[browse.Row]]:
    pages = []
    place = None
    while True:
        page = browse.page(db, selection, place, limit)
        pages.append(page.rows)
        place = page.end
        if place is None:
            return pages


def keys(pages: list[list[browse.Row]]) -> list[str]:
    return [row.key for page in pages for row in page]


def text(*more: str) -> st.SearchStrategy[str]:
    """Few values, so that they meet, and those that a pattern language or a delimiter trips over."""
    return st.sampled_from(["", "a", "A", "b", "ab", "a,b", "a*", "[a]", "ä", "a\nb", "\0", "%", "_", *more])


PATTERNS = text(
    "*", "?", "a*", "*b", "[ab]", "[!a]", "[^a]", "[a-b]*", "[", "[]", "[!]", "\\*", "a\\b", "**", "\ud800"
)
ABOUTS = st.builds(
    About,
    provider=text(),
    host=text(),
    model=text(),
    tags=st.lists(text('"', '","', "[]"), max_size=3).map(tuple),
    created=st.sampled_from([0.0, 1.0, 1.5, 2.0]),
)
SELECTIONS = st.builds(
    Selection,
    provider=st.none() | text("\ud800"),
    host=st.none() | text(),
    model=st.none() | PATTERNS,
    tag=st.none() | text('"', '","', "[]", "\ud800"),
    key=st.none() | st.integers(0, 20).map(key),
    before=st.none() | st.sampled_from([-1.0, 1, 1.5, 3.0]),
)


@settings(max_examples=150)
@given(
    st.lists(ABOUTS, max_size=15),
    st.lists(SELECTIONS, min_size=8, max_size=8),
    st.integers(1, 5),
    st.integers(1, 9),
)
def test_a_selection_means_on_disk_what_it_means_elsewhere(
    abouts: list[About], selections: list[Selection], limit: int, scanned: int
) -> None:
    with pytest.MonkeyPatch.context() as patched, TemporaryDirectory() as folder:
        patched.setattr(browse, "SCANNED", scanned)
        with database(abouts, Path(folder)) as db:
            for selection in selections:
                expected = [key(n) for n, about in enumerate(abouts) if selection.matches(key(n), about)]
                assert sorted(keys(walk(db, selection, limit))) == sorted(expected)


MIXED = [About(f"p{n % 3}", model=f"m{n % 5}", created=float(n)) for n in range(60)]


def test_rows_come_by_provider_model_and_age(tmp_path: Path) -> None:
    with database(MIXED, tmp_path) as db:
        found = [row for page in walk(db, Selection(), 7) for row in page]
    order = [(row.about.provider, row.about.model, row.about.created) for row in found]
    assert order == sorted(order) and len(order) == 60


def test_no_page_is_longer_than_its_limit_nor_looks_at_many_more_rows_than_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browse, "SCANNED", 10)
    with database(MIXED, tmp_path) as db:
        assert max(map(len, walk(db, Selection(), 4))) == 4
        assert len(walk(db, Selection(tag="none"), 99)) >= 6
        few = walk(db, Selection(model="m4", provider="p0"), 99)
    assert len(keys(few)) == 4 and len(few) <= 3  # steps over the models it does not mean


def test_a_walk_goes_on_behind_rows_that_were_removed_meanwhile(tmp_path: Path) -> None:
    with database(MIXED, tmp_path) as db:
        first = browse.page(db, Selection(), None, 7)
        rows.remove(db, [row.file for row in first.rows])
        assert first.end
        rest = browse.page(db, Selection(), first.end, 99)
    assert len({row.key for row in (*first.rows, *rest.rows)}) == 60


def test_a_row_says_all_that_is_known_but_the_blob(tmp_path: Path) -> None:
    about = About("p", "h", "m", ("t",), 5.0, 3)
    with database([], tmp_path) as db:
        rows.put(db, Entry(key(1), b"12345", 9.0, about=about), 17, 8.0, None, "bucket")
        (row,) = browse.page(db, Selection(), None, 9).rows
    assert row == browse.Row(key(1), 17, about, 5, 9.0, 8.0, "bucket", True, 1)


def test_due_are_the_dirty_rows_of_the_destination_the_oldest_first(tmp_path: Path) -> None:
    with database(MIXED, tmp_path) as db:
        rows.put(db, Entry(key(1), b"new"), 1000, 1.0, b"new", "bucket")
        rows.put(db, Entry(key(3), b"new"), 1001, 1.0, b"new", "elsewhere")
        found = [row.key for row in browse.due(db, "bucket")]
        assert found == [*(key(n) for n in range(5, 60, 2)), key(1)]
        assert list(browse.due(db, "")) == []


@pytest.mark.parametrize("prefix", ["", "0", "a", "f", "ff", key(7), key(7)[:10], "A", "g", "%", "z" * 99])
def test_keys_are_those_with_the_prefix_in_order(tmp_path: Path, prefix: str) -> None:
    there = sorted(key(n) for n in range(60))
    with database(MIXED, tmp_path) as db:
        expected = [name for name in there if name.startswith(prefix)]
        assert browse.keys(db, prefix, 99) == expected
        assert browse.keys(db, prefix, 2) == expected[:2]
