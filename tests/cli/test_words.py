"""Sizes, ages and tables, as people read them."""

import pytest

from mitmcache.cli import words


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (10 * 1024, "10 KiB"),
        (23 << 20, "23 MiB"),
        (5 << 30, "5.0 GiB"),
        (3 << 50, "3072 TiB"),
    ],
)
def test_sizes(amount: int, text: str) -> None:
    assert words.nbytes(amount) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "now"),
        (-0.4, "now"),
        (59.9, "59s"),
        (60, "1m"),
        (3600 * 23, "23h"),
        (86400 * 13.9, "13d"),
        (86400 * 14, "2w"),
        (-120, "in 2m"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert words.age(seconds) == text


@pytest.mark.parametrize(("number", "text"), [(0, "0 entries"), (1, "1 entry"), (1234, "1,234 entries")])
def test_counts(number: int, text: str) -> None:
    assert words.entries(number) == text


def test_times_are_told_even_where_there_is_no_such_time() -> None:
    assert words.when(0) == "1970-01-01 00:00:00Z"
    assert words.when(1e300) == "1e+300"


def test_a_table_has_columns_and_nothing_behind_them() -> None:
    rows = [("a", "1", ""), ("bb\n", "22", "x")]
    assert words.table(("K", "N", "T"), rows, right=frozenset({1})) == "K     N  T\na     1\nbb\ufffd  22  x"


@pytest.mark.parametrize("text", ["\x1b[31m", "\x9b", "a\nb", "\u202e", "\r", "\ud800"])
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    assert set(words.plain(text)) <= set("[31mab\ufffd")


def test_text_is_left_alone() -> None:
    assert words.plain("grüß 你好 😀\t!") == "grüß 你好 😀\t!"
