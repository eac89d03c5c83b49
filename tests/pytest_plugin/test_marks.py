"""What marks and the command line come to."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.pytest_plugin import marks
from mitmcache.pytest_plugin.marks import Wanted

NEAREST = [
    pytest.param([{}], Wanted(), id="nothing"),
    pytest.param([{"mode": "live"}], Wanted("live"), id="a mode"),
    pytest.param(
        [{"mode": "live"}, {"mode": "record", "path": "a"}], Wanted("live", "a"), id="the nearest wins"
    ),
]


@pytest.mark.parametrize(("named", "expected"), NEAREST)
def test_the_nearest_mark_wins_option_by_option(named: list[dict[str, str]], expected: Wanted) -> None:
    assert marks.read(((), options) for options in named) == expected


DECIDED = [
    (("", "", False, False), "record"),
    (("", "", False, True), "replay"),
    (("", "", True, False), "replay"),
    (("", "", True, True), "replay"),
    (("", "record", True, True), "record"),
    (("replay", "record", False, True), "replay"),
    (("live", "replay", True, True), "live"),
]


@pytest.mark.parametrize(("given", "expected"), DECIDED)
def test_the_mode(given: tuple[str, str, bool, bool], expected: str) -> None:
    command_line, mark, in_ci, exists = given
    assert marks.decide(command_line, mark, in_ci=in_ci, exists=exists) == expected


@pytest.mark.parametrize(("value", "expected"), [(None, False), ("", False), ("0", False), ("False", False)])
def test_ci_says_so(value: str | None, expected: bool) -> None:
    assert marks.is_ci({} if value is None else {"CI": value}) is expected
    assert marks.is_ci({"CI": "true"}) and marks.is_ci({"CI": "1"})


PLACES = [
    ("", "test_a", "/x/mitmcache/test_it/test_a.tar"),
    ("", "TestA::test_a", "/x/mitmcache/test_it/TestA.test_a.tar"),
    ("kept", "test_a", "/x/kept/test_a.tar"),
    ("kept/one.tar", "test_a", "/x/kept/one.tar"),
    ("/kept", "test_a", "/kept/test_a.tar"),
]


@pytest.mark.parametrize(("path", "test", "expected"), PLACES)
def test_the_place_of_a_recording(path: str, test: str, expected: str) -> None:
    assert marks.place(Path("/x/test_it.py"), test, path) == Path(expected)


@given(st.text(min_size=1), st.text(min_size=1))
def test_other_tests_have_other_files_and_all_are_safe(one: str, two: str) -> None:
    names = [marks.file_name(name) for name in (one, two)]
    assert (names[0] == names[1]) is (one == two)
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]{1,110}", name) for name in names)


def test_a_name_with_dots_is_not_that_of_a_class() -> None:
    assert marks.file_name("a.b") != marks.file_name("a::b") == "a.b"
