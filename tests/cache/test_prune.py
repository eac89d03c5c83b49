import copy
from typing import Any

import pytest

from made import DIALECT
from mitmcache.cache.prune import Step, path_of, prune, steps
from mitmcache.providers.base import Dialect

CASES: list[tuple[str, Any, Any]] = [
    ("a field at the top goes", {"user": "u", "a": 1}, {"a": 1}),
    ("whatever its value is", {"user": {"id": [1]}}, {}),
    ("a field of the same name deeper stays", {"a": {"user": 1}}, {"a": {"user": 1}}),
    ("a nested field goes", {"options": {"trace": 1, "a": 2}}, {"options": {"a": 2}}),
    ("an object that this empties goes too", {"options": {"trace": 1}}, {}),
    ("an object that was sent empty stays", {"options": {}}, {"options": {}}),
    ("an object without the field stays", {"options": {"a": 1}}, {"options": {"a": 1}}),
    ("a field on the way that is no object stays", {"options": [{"trace": 1}]}, {"options": [{"trace": 1}]}),
    ("null on the way stays", {"options": None}, {"options": None}),
    ("text on the way stays", {"options": "trace"}, {"options": "trace"}),
    (
        "every element of a list is looked into",
        {"items": [{"mark": 1, "a": 1}, {"mark": 2}, {"a": 3}]},
        {"items": [{"a": 1}, {}, {"a": 3}]},
    ),
    (
        "what is no object in a list stays",
        {"items": ["mark", 1, None, ["mark"]]},
        {"items": ["mark", 1, None, ["mark"]]},
    ),
    ("an object where a list is meant stays", {"items": {"mark": 1}}, {"items": {"mark": 1}}),
    (
        "lists in lists",
        {"items": [{"parts": [{"mark": 1, "a": 1}, "x"]}, {"parts": "mark"}]},
        {"items": [{"parts": [{"a": 1}, "x"]}, {"parts": "mark"}]},
    ),
    ("what the dialect's own function takes out goes", {"drop_me": 1, "a": 1}, {"a": 1}),
    ("a list at the top stays as it is", [{"user": "u"}], [{"user": "u"}]),
    ("text at the top", "user", "user"),
    ("null at the top", None, None),
]


@pytest.mark.parametrize(("body", "expected"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_what_is_volatile_goes_and_nothing_else(body: Any, expected: Any) -> None:
    pruned = copy.deepcopy(body)
    prune(pruned, DIALECT)
    assert pruned == expected


def test_a_dialect_without_volatile_fields_takes_nothing_out() -> None:
    body = {"user": "u", "drop_me": 1}
    prune(body, Dialect("plain", "chat"))
    assert body == {"user": "u", "drop_me": 1}


def test_a_path_is_read_as_steps() -> None:
    assert steps("a.b[].c") == (Step("a", False), Step("b", True), Step("c", False))


@pytest.mark.parametrize(
    ("text", "path"),
    [("a", "a"), ("a.b", "a.b"), ("a[*].b", "a[].b"), ("a[].b[*].c-d", "a[].b[].c-d"), ("$x.é", "$x.é")],
)
def test_a_users_path_is_one_as_a_dialect_writes_it(text: str, path: str) -> None:
    assert path_of(text) == path


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a[*]", "a[0].b", "[*].a", "a[*][*].b", "a b", "a\n"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a path"):
        path_of(text)
