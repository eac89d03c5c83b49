import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.cache.status import Outcome, cache_status, headers

STRING = r'"(?:[ !#-\[\]-~]|\\["\\])*"'
TOKEN = r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*"
MEMBER = re.compile(rf"mitmcache(?:; [a-z-]+(?:=(?:{TOKEN}|{STRING}|-?[0-9]{{1,15}}))?)*")
"""RFC 8941's list member, as far as RFC 9211 uses it."""

CASES = [
    ("a hit", Outcome("HIT", ttl=59.9, age=0.1), "mitmcache; hit; ttl=59"),
    ("a hit for ever", Outcome("HIT"), "mitmcache; hit"),
    ("a stale hit has a negative ttl", Outcome("STALE", ttl=-40, age=100), "mitmcache; hit; ttl=-40"),
    ("half a second stale is stale", Outcome("STALE", ttl=-0.5), "mitmcache; hit; ttl=-1"),
    (
        "a stale hit with its reason",
        Outcome("STALE", ttl=-1, detail="status-503"),
        "mitmcache; hit; ttl=-1; detail=status-503",
    ),
    ("a miss", Outcome("MISS", fwd="uri-miss"), "mitmcache; fwd=uri-miss"),
    (
        "a miss that was stored",
        Outcome("MISS", fwd="uri-miss", fwd_status=200, stored=True),
        "mitmcache; fwd=uri-miss; fwd-status=200; stored",
    ),
    (
        "a refused reply",
        Outcome("MISS", fwd="stale", fwd_status=500, detail="status"),
        "mitmcache; fwd=stale; fwd-status=500; detail=status",
    ),
    (
        "a bypass",
        Outcome("BYPASS", fwd="bypass", detail="no-store"),
        "mitmcache; fwd=bypass; detail=no-store",
    ),
    ("a miss says no ttl", Outcome("MISS", fwd="uri-miss", ttl=5), "mitmcache; fwd=uri-miss"),
    (
        "a place is quoted",
        Outcome("MISS", fwd="uri-miss", detail="messages[0].content"),
        'mitmcache; fwd=uri-miss; detail="messages[0].content"',
    ),
    (
        "places are quoted",
        Outcome("MISS", fwd="uri-miss", detail="a, b"),
        'mitmcache; fwd=uri-miss; detail="a, b"',
    ),
    (
        "quotes and backslashes are escaped",
        Outcome("MISS", fwd="miss", detail='a"b\\c'),
        'mitmcache; fwd=miss; detail="a\\"b\\\\c"',
    ),
    (
        "what is not ASCII is a question mark",
        Outcome("MISS", fwd="miss", detail="\u00e9\r\n\0\x7f~"),
        'mitmcache; fwd=miss; detail="?????~"',
    ),
    (
        "a detail that begins with a digit is quoted",
        Outcome("MISS", fwd="miss", detail="1a"),
        'mitmcache; fwd=miss; detail="1a"',
    ),
]


@pytest.mark.parametrize(("outcome", "expected"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_an_outcome_is_said_in_the_words_of_rfc_9211(outcome: Outcome, expected: str) -> None:
    assert cache_status(outcome) == expected


@given(
    st.text(), st.floats(-1e9, 1e9) | st.just(math.inf), st.sampled_from(["HIT", "STALE", "MISS", "BYPASS"])
)
def test_whatever_the_detail_the_syntax_holds(detail: str, ttl: float, word: str) -> None:
    outcome = Outcome(word, fwd="uri-miss", detail=detail, ttl=ttl)  # type: ignore[arg-type]
    assert MEMBER.fullmatch(cache_status(outcome))


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome("HIT", ttl=1, age=10.9), ("HIT", "HIT", "10")),
        (Outcome("STALE", ttl=-1, age=10), ("STALE", "HIT", "10")),
        (Outcome("HIT"), ("HIT", "HIT", "0")),
        (Outcome("MISS", fwd="uri-miss", age=10), ("MISS", "MISS", None)),
        (Outcome("BYPASS", fwd="bypass"), ("BYPASS", "MISS", None)),
    ],
)
def test_the_other_headers_say_the_same(outcome: Outcome, expected: tuple[str, str, str | None]) -> None:
    told = dict(headers(outcome))
    assert (told["x-cache"], told["cf-aig-cache-status"], told.get("age")) == expected
    assert told["cache-status"] == cache_status(outcome)
    assert told.keys() - {"age"} == {"x-cache", "cf-aig-cache-status", "cache-status"}
