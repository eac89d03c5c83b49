from dataclasses import replace
from typing import Any

import pytest

from mitmcache.cache.directives import NOTHING
from mitmcache.cache.known import LONGEST, MOST, Known, KnownRequests, mark
from mitmcache.cache.policy import Lookup
from mitmcache.cache.scope import Scope
from mitmcache.exchange import Call
from mitmcache.providers.openai import OPENAI
from mitmcache.reasons import Reason

DIALECT = OPENAI.operations[0][2]
CALL = Call(
    provider=OPENAI,
    dialect=DIALECT,
    method="POST",
    scheme="https",
    host="api.openai.com",
    path="/v1/chat/completions",
    query="a=b",
    headers=(("authorization", "Bearer a"), ("x", "\udcff")),
    body=b"{}",
)
KNOWN = Known(NOTHING, "gpt-4o", Lookup(read=True, write=True, ttl=60.0, scope=Scope.SHARED), "0" * 64)
SETTINGS = object()

DIFFERENT: dict[str, dict[str, Any]] = {
    "method": {"method": "PUT"},
    "scheme": {"scheme": "http"},
    "host": {"host": "api.openai.com:444"},
    "path": {"path": "/v1/chat"},
    "query": {"query": "a=c"},
    "a credential": {"headers": (("authorization", "Bearer b"), ("x", "\udcff"))},
    "a byte that is no text": {"headers": (("authorization", "Bearer a"), ("x", "\udcfe"))},
    "a header more": {"headers": (*CALL.headers, ("y", ""))},
    "where a name ends": {"headers": (("authorizationB", "earer a"), ("x", "\udcff"))},
    "the body": {"body": b"{ }"},
    "where the body begins": {"query": "a=b{", "body": b"}"},
}


def known() -> KnownRequests:
    made = KnownRequests()
    assert made.get(mark(CALL, "alice"), CALL, SETTINGS) is None
    made.put(mark(CALL, "alice"), CALL, SETTINGS, KNOWN)
    return made


def test_the_same_bytes_are_known_again() -> None:
    again = replace(CALL, body=bytes(bytearray(CALL.body)), headers=tuple((*pair,) for pair in CALL.headers))
    assert known().get(mark(again, "alice"), again, SETTINGS) is KNOWN


@pytest.mark.parametrize("different", DIFFERENT.values(), ids=DIFFERENT)
def test_what_differs_anywhere_is_not_known(different: dict[str, Any]) -> None:
    other = replace(CALL, **different)
    assert known().get(mark(other, "alice"), other, SETTINGS) is None


def test_another_user_is_not_known() -> None:
    assert known().get(mark(CALL, "bob"), CALL, SETTINGS) is None


def test_what_another_dialect_or_provider_would_read_is_not_known() -> None:
    for other in (replace(CALL, dialect=replace(DIALECT)), replace(CALL, provider=replace(OPENAI))):
        assert known().get(mark(other, "alice"), other, SETTINGS) is None


def test_nothing_is_known_once_the_settings_are_others() -> None:
    made, marked = known(), mark(CALL, "alice")
    made.put(marked, CALL, other := object(), KNOWN)
    assert made.get(marked, CALL, other) is None
    made.put(marked, CALL, SETTINGS, KNOWN)  # decided by settings that have gone meanwhile
    assert made.get(marked, CALL, other) is None and made.get(marked, CALL, SETTINGS) is None


@pytest.mark.parametrize(
    "call", [replace(CALL, unread=Reason.ENCODING), replace(CALL, body=b"x" * (LONGEST + 1))]
)
def test_what_has_to_be_read_anyway_has_no_mark(call: Call) -> None:
    made = known()
    made.put(mark(call, "alice"), call, SETTINGS, KNOWN)
    assert mark(call, "alice") == b"" and made.get(b"", call, SETTINGS) is None


def test_those_used_last_are_known() -> None:
    made, first = known(), mark(CALL, "alice")
    made.put(b"second", CALL, SETTINGS, KNOWN)
    assert made.get(first, CALL, SETTINGS)
    for number in range(MOST - 1):
        made.put(str(number).encode(), CALL, SETTINGS, KNOWN)
    assert made.get(first, CALL, SETTINGS) is KNOWN and made.get(b"second", CALL, SETTINGS) is None
