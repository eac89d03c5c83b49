import math
from typing import Any

import pytest

from mitmcache.cache.rules import Rule, first, parse
from mitmcache.cache.scope import Scope

GOOD: list[tuple[str, Any, tuple[Rule, ...]]] = [
    ("an empty file", None, ()),
    ("no rules", {"rules": None}, ()),
    ("an empty list", {"rules": []}, ()),
    ("a bare list", [{"skip": True}], (Rule(skip=True),)),
    (
        "all conditions and settings",
        {
            "rules": [
                {
                    "match": {"host": "*.a", "model": "m*", "path": "/v?/x", "user": "alice"},
                    "ttl": "7d",
                    "skip": False,
                    "scope": "shared",
                }
            ]
        },
        (Rule("*.a", "m*", "/v?/x", "alice", 604800, False, Scope.SHARED),),
    ),
    ("conditions beside the settings", [{"model": "m", "ttl": "1s"}], (Rule(model="m", ttl=1),)),
    ("a number is seconds", [{"ttl": 90}], (Rule(ttl=90),)),
    ("0 is for ever", [{"ttl": 0}], (Rule(ttl=math.inf),)),
    ("a rule without settings", [{"match": {"model": "m"}}], (Rule(model="m"),)),
    ("null says nothing of skip", [{"skip": None}], (Rule(),)),
    ("tags", [{"tags": ["a", "b", "a"]}], (Rule(tags=("a", "b")),)),
    ("one tag as text", [{"tags": "nightly"}], (Rule(tags=("nightly",)),)),
    ("null says nothing of tags", [{"tags": None}], (Rule(),)),
    ("volatile paths", [{"volatile": ["a.b", "c[*].d", "c[].d"]}], (Rule(volatile=("a.b", "c[].d")),)),
    ("one volatile path as text", [{"volatile": "x-run_id"}], (Rule(volatile=("x-run_id",)),)),
    ("null says nothing of volatile", [{"volatile": None}], (Rule(),)),
    ("variants", [{"variants": 100}], (Rule(variants=100),)),
    ("one variant", [{"variants": 1}], (Rule(variants=1),)),
    ("several, in order", [{"ttl": 1}, {"ttl": 2}], (Rule(ttl=1), Rule(ttl=2))),
]

BAD: list[tuple[str, Any, str]] = [
    ("text", "rules", "list of rules under `rules:`"),
    ("a number", 5, "list of rules"),
    ("rules that are no list", {"rules": {"ttl": 1}}, "list of rules"),
    ("an unknown field of the file", {"rule": []}, "'rule'"),
    ("fields of the file that cannot be sorted", {None: 1, "x": 2}, "unknown field"),
    ("a rule that is no mapping", ["skip"], "rule 1: must be a mapping"),
    ("a match that is no mapping", [{}, {"match": "m"}], "rule 2: must be a mapping"),
    ("a match of nothing", [{"match": None}], "rule 1: must be a mapping"),
    (
        "an unknown condition",
        [{"match": {"modle": "m"}}],
        "rule 1: unknown field 'modle'; known are host, model",
    ),
    ("an unknown setting", [{"tll": 1}], "rule 1: unknown field 'tll'; known are ttl, skip, scope"),
    ("a field that is no text", [{1: 2}], "rule 1: unknown field 1"),
    ("a condition that is no text", [{"match": {"model": 4}}], "rule 1: model must be text, a glob, not 4"),
    ("skip as text", [{"skip": "yes"}], "rule 1: skip must be true or false, not 'yes'"),
    ("skip as a number", [{"skip": 1}], "rule 1: skip must be true or false, not 1"),
    ("a ttl that is no time", [{"ttl": "soon"}], "rule 1: 'soon' is not a duration"),
    ("a negative ttl", [{"ttl": -1}], "rule 1: '-1' is not a duration"),
    ("a ttl of true", [{"ttl": True}], "rule 1: 'True' is not a duration"),
    ("a tag with a space", [{"tags": ["a", "b c"]}], "rule 1: tags must be visible characters"),
    ("a tag with a comma", [{"tags": "a,b"}], "rule 1: tags must be visible characters"),
    ("an empty tag", [{"tags": [""]}], "rule 1: tags must be visible characters"),
    ("a tag that is a number", [{"tags": [1]}], "rule 1: tags must be visible characters"),
    ("tags that are a mapping", [{"tags": {"a": 1}}], "rule 1: tags must be visible characters"),
    ("too many tags", [{"tags": ["a"] * 17}], "rule 1: tags: at most 16"),
    ("a path to an element", [{}, {"volatile": ["a[*]"]}], "rule 2: volatile: 'a[*]' is not a path"),
    ("a path with an index", [{"volatile": ["a[0].b"]}], "rule 1: volatile: 'a[0].b' is not a path"),
    ("a path with an empty step", [{"volatile": ["a..b"]}], "rule 1: volatile: 'a..b' is not a path"),
    ("a path with a space", [{"volatile": ["a b"]}], "rule 1: volatile: 'a b' is not a path"),
    ("a path that is too long", [{"volatile": ["a" * 257]}], "is not a path"),
    ("an empty path", [{"volatile": [""]}], "rule 1: volatile: '' is not a path"),
    ("a path that is a number", [{"volatile": [1]}], "rule 1: volatile must be a list of paths"),
    ("volatile as a mapping", [{"volatile": {"a": 1}}], "rule 1: volatile must be a list of paths"),
    ("too many paths", [{"volatile": ["a"] * 65}], "rule 1: volatile: at most 64"),
    ("the form of the answer", [{"volatile": ["stream"]}], "rule 1: volatile: stream decides"),
    ("no variant", [{"variants": 0}], "rule 1: variants must be a number from 1 to 100, not 0"),
    ("too many variants", [{"variants": 101}], "rule 1: variants must be a number from 1 to 100"),
    ("variants as text", [{"variants": "5"}], "rule 1: variants must be a number from 1 to 100, not '5'"),
    ("variants of true", [{"variants": True}], "rule 1: variants must be a number"),
    ("a scope of nobody's", [{"scope": "me"}], "rule 1: 'me' is not a valid Scope"),
    ("a scope that is a list", [{"scope": ["user"]}], "rule 1: "),
]


@pytest.mark.parametrize(("document", "expected"), [pytest.param(*case[1:], id=case[0]) for case in GOOD])
def test_a_document_is_read_as_these_rules(document: Any, expected: tuple[Rule, ...]) -> None:
    assert parse(document) == expected


@pytest.mark.parametrize(("document", "told"), [pytest.param(*case[1:], id=case[0]) for case in BAD])
def test_what_is_wrong_is_told_with_rule_and_field(document: Any, told: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(document)
    assert told in str(caught.value)


WHERE = ("api.a.example", "m-1", "/v1/chat", "alice")


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        (Rule(), True),
        (Rule(host="api.a.example"), True),
        (Rule(host="API.A.example"), True),
        (Rule(host="*.a.example"), True),
        (Rule(host="a.example"), False),
        (Rule(model="m-?"), True),
        (Rule(model="M-1"), False),
        (Rule(model="m-[23]"), False),
        (Rule(path="/v1/*"), True),
        (Rule(path="/v1"), False),
        (Rule(user="alice"), True),
        (Rule(user=""), False),
        (Rule(host="*.example", model="m*", path="*", user="bob"), False),
    ],
)
def test_every_condition_is_a_glob_of_the_whole(rule: Rule, matches: bool) -> None:
    assert rule.matches(*WHERE) is matches


def test_the_first_that_matches_decides() -> None:
    rules = (Rule(model="other", ttl=1), Rule(model="m*", ttl=2), Rule(ttl=3))
    assert first(rules, *WHERE) is rules[1]


def test_where_none_matches_nothing_is_said() -> None:
    assert first((Rule(model="other", skip=True),), *WHERE) == Rule()
