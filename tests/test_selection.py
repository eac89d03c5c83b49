from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.selection import EVERYTHING, About, Selection

KEY = "0123456789abcdef" * 4
ABOUT = About("made", "api.made.example", "m-1-mini", ("nightly", "ci"), 100.0, 7)

CASES: list[tuple[str, Selection, bool]] = [
    ("no condition selects everything", Selection(), True),
    ("its provider", Selection(provider="made"), True),
    ("another provider", Selection(provider="mad"), False),
    ("a provider is no glob", Selection(provider="m*"), False),
    ("its host", Selection(host="api.made.example"), True),
    ("another host", Selection(host="made.example"), False),
    ("its model", Selection(model="m-1-mini"), True),
    ("a glob of its model", Selection(model="m-?-*"), True),
    ("a glob of the whole model only", Selection(model="m-1"), False),
    ("capitals count in a model", Selection(model="M-1-mini"), False),
    ("one of its tags", Selection(tag="ci"), True),
    ("a tag it has not", Selection(tag="night"), False),
    ("its key", Selection(key=KEY), True),
    ("the start of its key", Selection(key=KEY[:8]), False),
    ("created before", Selection(before=100.5), True),
    ("created at that very time", Selection(before=100.0), False),
    ("all conditions", Selection("made", ABOUT.host, "m*", "ci", KEY, 101.0), True),
    ("all conditions but one", Selection("made", ABOUT.host, "m*", "cd", KEY, 101.0), False),
    ("an empty provider is a condition", Selection(provider=""), False),
]


@pytest.mark.parametrize(("selection", "expected"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_a_selection_takes_this(selection: Selection, expected: bool) -> None:
    assert selection.matches(KEY, ABOUT) is expected


SELECTIONS = st.builds(
    Selection,
    **{name: st.none() | st.text() for name in ("provider", "host", "model", "tag", "key")},
    before=st.none() | st.floats(0, 4e9) | st.integers(0, 10**9),
)


@given(SELECTIONS)
def test_what_is_told_in_json_is_read_again(selection: Selection) -> None:
    assert Selection.from_json(selection.as_json()) == selection


@given(SELECTIONS)
def test_one_condition_more_never_selects_more(selection: Selection) -> None:
    if selection.matches(KEY, ABOUT):
        for field in fields(Selection):
            assert replace(selection, **{field.name: None}).matches(KEY, ABOUT)


def test_everything_is_no_condition() -> None:
    assert EVERYTHING.as_json() == {}


@pytest.mark.parametrize(
    "document",
    [{"modle": "m"}, {"model": 1}, {"model": None}, {"model": ["m"]}, {"before": "1"}, {"before": True}],
    ids=str,
)
def test_a_condition_that_is_not_known_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no such condition"):
        Selection.from_json(document)
