import pytest
from hypothesis import given

from jsonforms import DOCUMENTS
from mitmcache.providers.base import Json
from mitmcache.reading.counts import MOST, at, count, first, highest, modality, number_in, seconds, together


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0),
        (7, 7),
        (7.0, 7),
        (MOST, MOST),
        (MOST + 1, None),
        (10**400, None),
        (-1, None),
        (1.5, None),
        (float("inf"), None),
        (float("nan"), None),
        (1e300, None),
        ("7", None),
        (True, None),
        (None, None),
        ([7], None),
    ],
)
def test_only_a_whole_number_that_a_call_could_use_is_a_count(value: Json, number: int | None) -> None:
    assert count(value) == number


@pytest.mark.parametrize(
    ("value", "length"),
    [
        (3, 3.0),
        (1.25, 1.25),
        (-1, None),
        (float("nan"), None),
        (float("inf"), None),
        ("3", None),
        (True, None),
    ],
)
def test_seconds_may_be_a_fraction(value: Json, length: float | None) -> None:
    assert seconds(value) == length


@pytest.mark.parametrize(
    ("text", "number"),
    [("9", 9), (" 9 ", 9), ("", None), ("-1", None), ("1, 2", None), ("9" * 5000, None), ("٣", None)],
)
def test_a_header_counts_in_plain_digits(text: str, number: int | None) -> None:
    assert number_in(text) == number


def test_nothing_said_stays_nothing() -> None:
    assert (first(None, None), first(None, 0, 5)) == (None, 0)
    assert (together(None, None), together(None, 2, 3), together()) == (None, 5, None)
    assert (at({"a": {"b": 4}}, "a", "b"), at({"a": 4}, "a", "b")) == (4, None)


@pytest.mark.parametrize(
    ("old", "new", "merged"),
    [
        ({"in": 9, "out": 1}, {"out": 5}, {"in": 9, "out": 5}),
        ({"in": 9}, {"in": 0}, {"in": 9}),
        ({"in": 9}, {"in": None}, {"in": 9}),
        ({"in": "?"}, {"in": 9}, {"in": 9}),
        ({"part": {"a": 1, "b": 2}}, {"part": {"a": 3, "b": None}}, {"part": {"a": 3, "b": 2}}),
        ({}, {"part": {"a": 3}}, {"part": {"a": 3}}),
    ],
)
def test_counters_never_fall(old: Json, new: Json, merged: Json) -> None:
    assert highest(old, new) == merged


@pytest.mark.parametrize(
    ("details", "tokens"),
    [
        ([{"modality": "AUDIO", "tokenCount": 5}, {"modality": "TEXT", "tokenCount": 7}], 5),
        ([{"modality": 4, "tokenCount": 5}, {"modality": 1, "tokenCount": 7}], 5),
        ([{"modality": "audio", "tokens": 5}, {"modality": "audio", "tokens": 2}], 7),
        ([{"modality": "TEXT", "tokenCount": 5}], None),
        ([{"modality": True, "tokenCount": 5}, {"tokenCount": 5}, 3, None], None),
        (None, None),
    ],
)
def test_a_modality_is_named_or_numbered(details: Json, tokens: int | None) -> None:
    assert modality(details, "AUDIO", 4) == tokens


@given(DOCUMENTS)
def test_any_json_is_a_count_or_none(value: Json) -> None:
    number = count(value)
    assert number is None or 0 <= number <= MOST
    assert modality(value, "AUDIO", 4) is None or isinstance(value, list)
