import math
from dataclasses import replace
from typing import Any

import pytest

from made import CALL, call
from mitmcache.cache.directives import NOTHING, Directives
from mitmcache.cache.policy import (
    Age,
    Bypass,
    Freshness,
    Lookup,
    Mode,
    age,
    decide,
    freshness,
    may_cover_error,
)
from mitmcache.cache.rules import Rule
from mitmcache.cache.scope import Scope
from mitmcache.exchange import Call
from mitmcache.reasons import Reason

PLAIN = Rule()
USUAL = Lookup(read=True, write=True, ttl=100, scope=Scope.CREDENTIAL)
STORES = {"store": True}
LIVE, OFFLINE, REFRESH, OFF = Mode


def bearing(name: str, value: str) -> Call:
    return call(headers=((name, value),))


CASES: list[tuple[str, Call, Any, Directives, Rule, Mode, Lookup | Bypass]] = [
    ("variants of the rule", CALL, {}, NOTHING, Rule(variants=3), LIVE, replace(USUAL, variants=3)),
    (
        "variants of the header come first",
        CALL,
        {},
        Directives(variants=2),
        Rule(variants=3),
        LIVE,
        replace(USUAL, variants=2),
    ),
    ("the usual", CALL, {}, NOTHING, PLAIN, LIVE, USUAL),
    ("off", CALL, {}, NOTHING, PLAIN, OFF, Bypass(Reason.OFF)),
    (
        "off comes before all else",
        CALL,
        STORES,
        Directives(skip=True),
        Rule(skip=True),
        OFF,
        Bypass(Reason.OFF),
    ),
    ("offline looks up as usual", CALL, {}, NOTHING, PLAIN, OFFLINE, USUAL),
    ("refresh only writes", CALL, {}, NOTHING, PLAIN, REFRESH, replace(USUAL, read=False)),
    ("the caller skips", CALL, {}, Directives(skip=True), PLAIN, LIVE, Bypass(Reason.SKIP)),
    ("a rule skips", CALL, {}, NOTHING, Rule(skip=True), LIVE, Bypass(Reason.POLICY)),
    (
        "the caller skips, whatever a rule says",
        CALL,
        {},
        Directives(skip=True),
        Rule(skip=False),
        LIVE,
        Bypass(Reason.SKIP),
    ),
    ("a body of the limit", call(b"x" * 20), None, NOTHING, PLAIN, LIVE, USUAL),
    ("a body over the limit", call(b"x" * 21), None, NOTHING, PLAIN, LIVE, Bypass(Reason.TOO_LARGE)),
    (
        "no rule lifts the limit",
        call(b"x" * 21),
        None,
        NOTHING,
        Rule(skip=False),
        LIVE,
        Bypass(Reason.TOO_LARGE),
    ),
    (
        "a body that could not be read",
        replace(CALL, unread=Reason.ENCODING),
        None,
        NOTHING,
        Rule(skip=False),
        LIVE,
        Bypass(Reason.ENCODING),
    ),
    ("a range", bearing("range", "bytes=0-1"), {}, NOTHING, PLAIN, LIVE, Bypass(Reason.CONDITIONAL)),
    ("if-none-match", bearing("if-none-match", "*"), {}, NOTHING, PLAIN, LIVE, Bypass(Reason.CONDITIONAL)),
    (
        "x-use-cache: false",
        bearing("x-use-cache", "False"),
        {},
        NOTHING,
        PLAIN,
        LIVE,
        Bypass(Reason.USE_CACHE),
    ),
    ("x-use-cache: 0", bearing("x-use-cache", "0"), {}, NOTHING, PLAIN, LIVE, Bypass(Reason.USE_CACHE)),
    ("x-use-cache: true", bearing("x-use-cache", "true"), {}, NOTHING, PLAIN, LIVE, USUAL),
    ("the dialect refuses", CALL, STORES, NOTHING, PLAIN, LIVE, Bypass(Reason.STORE)),
    ("the dialect refuses in every mode", CALL, STORES, NOTHING, PLAIN, REFRESH, Bypass(Reason.STORE)),
    (
        "a rule that says nothing of it overrules no refusal",
        CALL,
        STORES,
        NOTHING,
        Rule(ttl=5),
        LIVE,
        Bypass(Reason.STORE),
    ),
    ("a rule overrules the dialect", CALL, STORES, NOTHING, Rule(skip=False), LIVE, USUAL),
    ("no-cache only writes", CALL, {}, Directives(no_cache=True), PLAIN, LIVE, replace(USUAL, read=False)),
    ("no-store only reads", CALL, {}, Directives(no_store=True), PLAIN, LIVE, replace(USUAL, write=False)),
    (
        "no-cache and no-store do neither",
        CALL,
        {},
        Directives(no_cache=True, no_store=True),
        PLAIN,
        LIVE,
        replace(USUAL, read=False, write=False),
    ),
    ("only-if-cached reads", CALL, {}, Directives(only_if_cached=True), PLAIN, LIVE, USUAL),
    ("the caller's ttl", CALL, {}, Directives(ttl=5), PLAIN, LIVE, replace(USUAL, ttl=5)),
    ("a rule's ttl", CALL, {}, NOTHING, Rule(ttl=7), LIVE, replace(USUAL, ttl=7)),
    (
        "the caller's ttl before a rule's",
        CALL,
        {},
        Directives(ttl=5),
        Rule(ttl=7),
        LIVE,
        replace(USUAL, ttl=5),
    ),
    ("for ever", CALL, {}, NOTHING, Rule(ttl=math.inf), LIVE, replace(USUAL, ttl=math.inf)),
    (
        "a ttl of nothing keeps nothing",
        CALL,
        {},
        Directives(ttl=0),
        PLAIN,
        LIVE,
        replace(USUAL, ttl=0, write=False),
    ),
    ("half a second is a time", CALL, {}, Directives(ttl=0.5), PLAIN, LIVE, replace(USUAL, ttl=0.5)),
    ("a rule's scope", CALL, {}, NOTHING, Rule(scope=Scope.SHARED), LIVE, replace(USUAL, scope=Scope.SHARED)),
]


@pytest.mark.parametrize(
    ("made", "seen", "asked", "rule", "mode", "expected"),
    [pytest.param(*case[1:], id=case[0]) for case in CASES],
)
def test_a_call_is_decided_so(
    made: Call, seen: Any, asked: Directives, rule: Rule, mode: Mode, expected: Lookup | Bypass
) -> None:
    decision = decide(made, seen, asked, rule, mode=mode, ttl=100, scope=Scope.CREDENTIAL, max_body=20)
    assert decision == expected


@pytest.mark.parametrize(
    ("created", "expires", "now", "expected"),
    [
        pytest.param(100, 160, 110, Age(10, 50), id="fresh"),
        pytest.param(100, 160, 160, Age(60, 0), id="at its end"),
        pytest.param(100, 160, 200, Age(100, -40), id="stale"),
        pytest.param(100, 0, 200, Age(100, math.inf), id="for ever"),
        pytest.param(100, 160, 90, Age(0, 70), id="a clock that went back gives no negative age"),
    ],
)
def test_ages(created: float, expires: float, now: float, expected: Age) -> None:
    assert age(created, expires, now) == expected


FRESH, SERVE_STALE, STALE, REQUEST = Freshness
TTLS: list[tuple[str, Age, Directives, Freshness]] = [
    ("fresh", Age(10, 50), NOTHING, FRESH),
    ("fresh for ever", Age(1e9, math.inf), NOTHING, FRESH),
    ("at its end it is stale", Age(60, 0), NOTHING, STALE),
    ("stale", Age(100, -40), NOTHING, STALE),
    ("max-age met", Age(10, 50), Directives(max_age=10), FRESH),
    ("max-age passed", Age(10.5, 50), Directives(max_age=10), REQUEST),
    ("max-age of nothing", Age(0.5, 50), Directives(max_age=0), REQUEST),
    ("max-age does not freshen", Age(100, -40), Directives(max_age=1000), STALE),
    ("min-fresh met", Age(10, 50), Directives(min_fresh=50), FRESH),
    ("min-fresh not met", Age(10, 50), Directives(min_fresh=51), REQUEST),
    ("min-fresh of what never ends", Age(10, math.inf), Directives(min_fresh=1e9), FRESH),
    ("max-stale met", Age(100, -40), Directives(max_stale=40), SERVE_STALE),
    ("max-stale passed", Age(100, -40), Directives(max_stale=39), STALE),
    ("any staleness", Age(1e9, -1e9), Directives(max_stale=math.inf), SERVE_STALE),
    ("max-stale and still fresh", Age(10, 50), Directives(max_stale=40), FRESH),
    ("max-stale does not lift max-age", Age(100, -40), Directives(max_stale=40, max_age=50), REQUEST),
    ("max-stale within max-age", Age(100, -40), Directives(max_stale=40, max_age=100), SERVE_STALE),
    ("max-stale does not lift min-fresh", Age(100, -40), Directives(max_stale=40, min_fresh=1), REQUEST),
    ("stale-if-error is for errors alone", Age(100, -40), Directives(stale_if_error=40), STALE),
]


@pytest.mark.parametrize(
    ("record", "asked", "expected"), [pytest.param(*case[1:], id=case[0]) for case in TTLS]
)
def test_a_record_is_this_to_a_caller(record: Age, asked: Directives, expected: Freshness) -> None:
    assert freshness(record, asked) is expected


def test_why_a_record_is_not_served_is_said_in_the_words_of_rfc_9211() -> None:
    assert (STALE.value, REQUEST.value) == ("stale", "request")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_the_statuses_of_rfc_5861_may_be_covered(status: int) -> None:
    assert may_cover_error(Age(100, -40), Directives(stale_if_error=40), status)


@pytest.mark.parametrize(
    ("record", "asked", "status"),
    [
        pytest.param(Age(100, -40), NOTHING, 500, id="not asked for"),
        pytest.param(Age(100, -40), Directives(max_stale=math.inf), 500, id="max-stale is not that"),
        pytest.param(Age(100, -40), Directives(stale_if_error=39), 503, id="too stale"),
        *(
            pytest.param(Age(100, -40), Directives(stale_if_error=40), status, id=str(status))
            for status in (200, 400, 401, 404, 429, 501, 505, 529)
        ),
    ],
)
def test_nothing_else_is_covered(record: Age, asked: Directives, status: int) -> None:
    assert not may_cover_error(record, asked, status)


def test_a_record_that_the_request_refused_covers_an_error() -> None:
    assert may_cover_error(Age(10, 50), Directives(max_age=1, stale_if_error=0), 500)
