import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.cache.directives import CONTROL_HEADERS, MAX_TAG, MAX_TAGS, NOTHING, Directives, parse, united
from mitmcache.exchange import Headers


def said(**fields: object) -> Directives:
    return Directives(**fields)  # type: ignore[arg-type]


def cc(value: str) -> Headers:
    return (("cache-control", value),)


def tag(value: str) -> Headers:
    return (("x-mitmcache-tag", value),)


MANY = [f"t{number}" for number in range(MAX_TAGS + 1)]
CASES: list[tuple[str, Headers, Directives]] = [
    ("no header", (), NOTHING),
    ("other headers", (("accept", "*/*"), ("pragma", "no-cache"), ("x-cache-control", "no-cache")), NOTHING),
    ("skip", (("cf-aig-skip-cache", "true"),), said(skip=True)),
    ("the older skip", (("cf-skip-cache", " True "),), said(skip=True)),
    ("either skip", (("cf-skip-cache", "false"), ("cf-aig-skip-cache", "true")), said(skip=True)),
    ("skip: false", (("cf-aig-skip-cache", "false"),), NOTHING),
    ("skip with a word of nobody's", (("cf-aig-skip-cache", "yes"),), NOTHING),
    ("cf-aig-cache-ttl is in seconds", (("cf-aig-cache-ttl", "3600"),), said(ttl=3600)),
    ("cf-cache-ttl is in milliseconds", (("cf-cache-ttl", "3600"),), said(ttl=3.6)),
    ("the newer ttl wins", (("cf-cache-ttl", "5000"), ("cf-aig-cache-ttl", "60")), said(ttl=60)),
    (
        "the older stands in for a malformed newer",
        (("cf-cache-ttl", "5000"), ("cf-aig-cache-ttl", "1h")),
        said(ttl=5),
    ),
    ("no time at all", (("cf-aig-cache-ttl", "0"),), said(ttl=0)),
    ("a negative ttl is not said", (("cf-aig-cache-ttl", "-1"),), NOTHING),
    ("a ttl with a fraction is not said", (("cf-aig-cache-ttl", "1.5"),), NOTHING),
    ("a ttl with a unit is not said", (("cf-cache-ttl", "5s"),), NOTHING),
    ("an empty ttl is not said", (("cf-aig-cache-ttl", ""),), NOTHING),
    ("a ttl of two lines is not said", (("cf-aig-cache-ttl", "1"), ("cf-aig-cache-ttl", "2")), NOTHING),
    (
        "digits of other scripts are none",
        (("cf-aig-cache-ttl", "\u0663"), ("cf-cache-ttl", "\u00b2")),
        NOTHING,
    ),
    ("a key", (("cf-aig-cache-key", "my key"),), said(key="my key")),
    ("an empty key is none", (("cf-aig-cache-key", ""),), NOTHING),
    ("no-cache", cc("no-cache"), said(no_cache=True)),
    ("no-store", cc("no-store"), said(no_store=True)),
    ("only-if-cached", cc("only-if-cached"), said(only_if_cached=True)),
    ("capitals and spaces", cc(" No-Cache ,\tNO-STORE "), said(no_cache=True, no_store=True)),
    ("several lines", (*cc("no-cache"), *cc("max-age=1")), said(no_cache=True, max_age=1)),
    ("max-age", cc("max-age=60"), said(max_age=60)),
    ("max-age of nothing", cc("max-age=0"), said(max_age=0)),
    ("a quoted argument", cc('max-age="60"'), said(max_age=60)),
    ("spaces round the equals sign", cc("max-age = 60"), said(max_age=60)),
    ("max-age without an argument", cc("max-age"), NOTHING),
    ("max-age with an empty argument", cc("max-age="), NOTHING),
    ("a negative max-age", cc("max-age=-1"), NOTHING),
    ("a malformed max-age leaves the rest", cc("max-age=soon, no-store"), said(no_store=True)),
    ("the first of two counts", cc("max-age=1, max-age=2"), said(max_age=1)),
    ("max-stale", cc("max-stale=10"), said(max_stale=10)),
    ("max-stale without an argument is any", cc("max-stale"), said(max_stale=math.inf)),
    ("max-stale with an empty argument", cc("max-stale="), NOTHING),
    ("a malformed max-stale", cc("max-stale=long"), NOTHING),
    ("min-fresh", cc("min-fresh=5"), said(min_fresh=5)),
    ("stale-if-error", cc("stale-if-error=600"), said(stale_if_error=600)),
    ("a response's directives say nothing", cc("private, s-maxage=5, must-revalidate, public"), NOTHING),
    ("commas alone", cc(",,="), NOTHING),
    ("more digits than there are seconds", cc("max-age=" + "9" * 400), said(max_age=float("9" * 18))),
    (
        "all at once",
        (
            *cc("no-cache, no-store, only-if-cached, max-age=1, max-stale=2, min-fresh=3, stale-if-error=4"),
            ("cf-aig-skip-cache", "true"),
            ("cf-aig-cache-ttl", "5"),
            ("cf-aig-cache-key", "k"),
            ("x-mitmcache-tag", "t"),
        ),
        Directives(True, 5, "k", True, True, True, 1, 2, 3, 4, ("t",)),
    ),
    ("variants", (("x-mitmcache-variants", " 5 "),), said(variants=5)),
    *(
        (f"variants that cannot be: {text}", (("x-mitmcache-variants", text),), NOTHING)
        for text in ("0", "101", "-1", "1.5", "many", "", "5, 5", "\u0665", "9" * 5000)
    ),
    ("a tag", tag("nightly"), said(tags=("nightly",))),
    ("tags, with spaces round them", tag(" a:1 ,b ,\tc"), said(tags=("a:1", "b", "c"))),
    ("tags of several lines", (*tag("b"), *tag("a")), said(tags=("b", "a"))),
    ("a tag twice", tag("a,b,a"), said(tags=("a", "b"))),
    ("no tag", tag(" , ,"), NOTHING),
    ("a tag with a space is none", tag("a b, c"), said(tags=("c",))),
    ("a tag of other letters is none", tag("\u00e9t\u00e9, \x7f, c"), said(tags=("c",))),
    ("the longest tag", tag("x" * MAX_TAG), said(tags=("x" * MAX_TAG,))),
    ("a longer one is none", tag("x" * (MAX_TAG + 1) + ",c"), said(tags=("c",))),
    ("more tags than there may be", tag(",".join(MANY)), said(tags=tuple(MANY[:MAX_TAGS]))),
]


@pytest.mark.parametrize(("headers", "expected"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_a_caller_says_this(headers: Headers, expected: Directives) -> None:
    assert parse(headers) == expected


@given(st.lists(st.tuples(st.sampled_from(sorted(CONTROL_HEADERS)), st.text()), max_size=5))
def test_no_header_breaks_a_call(headers: list[tuple[str, str]]) -> None:
    parsed = parse(tuple(headers))
    times = (parsed.ttl, parsed.max_age, parsed.max_stale, parsed.min_fresh, parsed.stale_if_error)
    assert all(seconds is None or seconds >= 0 for seconds in times)
    assert len(parsed.tags) <= MAX_TAGS


def test_the_tags_of_caller_and_rule_are_one_set() -> None:
    assert united(("a", "b"), (), ("b", "c d", "c")) == ("a", "b", "c")
    assert united(MANY, MANY) == tuple(MANY[:MAX_TAGS])
