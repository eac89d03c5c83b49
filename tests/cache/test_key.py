import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from made import CALL, DIALECT, JSON, PROVIDER, SECRET, call, key_of, read
from mitmcache.cache.key import digest, group, ingredients
from mitmcache.exchange import Call, Headers

FORM: Headers = (("content-type", "multipart/form-data; boundary=xyz"),)


def changed(**changes: Any) -> str:
    return key_of(call(**changes))


def with_header(name: str, value: str) -> Call:
    return call(headers=(*CALL.headers, (name, value)))


def test_a_key_is_64_lower_case_hex_digits() -> None:
    assert re.fullmatch("[0-9a-f]{64}", key_of(CALL))


SAME = [
    ("no secret", call(headers=JSON)),
    ("user agent", with_header("user-agent", "sdk/2")),
    ("an SDK's notes", with_header("x-stainless-retry-count", "1")),
    ("tracing", with_header("traceparent", "00-1")),
    ("a request id", with_header("x-request-id", "r-1")),
    ("what a caller takes", with_header("accept-encoding", "br")),
    ("formatting", call(b'{ "model" : "m-\\u0031" }')),
    ("a volatile field", call(b'{"model":"m-1","user":"u"}')),
    ("a header that a prefix all but reaches", with_header("x-madeup", "1")),
    ("a secret in the query", call(query="key=SECRET")),
    ("a secret in the query, in capitals", call(query="Api_Key=SECRET")),
    ("a volatile query field", call(query="beta=true")),
    ("an empty query field by the name of a secret", call(query="key=")),
]


@pytest.mark.parametrize("made", [pytest.param(made, id=name) for name, made in SAME])
def test_what_does_not_change_the_answer_does_not_count(made: Call) -> None:
    assert key_of(made) == key_of(CALL)


OTHER = [
    ("dialect", call(dialect=replace(DIALECT, name="made.other"))),
    ("scheme", call(scheme="http")),
    ("host", call(host="eu.api.made.example")),
    ("port", call(host="api.made.example:8443")),
    ("method", call(method="PUT")),
    ("path", call(path="/v2/chat")),
    ("path in capitals", call(path="/V1/chat")),
    ("a query", call(query="a=1")),
    ("an empty query field", call(query="a=")),
    ("a header of the dialect", with_header("made-version", "1")),
    ("an empty header of the dialect", with_header("made-version", "")),
    ("a header of the provider", with_header("made-project", "p")),
    ("a header by its prefix", with_header("x-made-guard", "g")),
    ("model", call(b'{"model":"m-2"}')),
    ("another field", call(b'{"model":"m-1","n":1}')),
    ("no body", call(b"")),
    ("the same document in a list", call(b'[{"model":"m-1"}]')),
]


@pytest.mark.parametrize("made", [pytest.param(made, id=name) for name, made in OTHER])
def test_everything_else_counts(made: Call) -> None:
    assert key_of(made) != key_of(CALL)


def test_the_scope_counts() -> None:
    assert key_of(CALL, "scope") != key_of(CALL, "scopf")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("a=1&b=2", "b=2&a=1", True, id="the order of names does not count"),
        pytest.param("a=%41", "a=A", True, id="percent-coding does not count"),
        pytest.param("a=1+2", "a=1%202", True, id="a plus is a space"),
        pytest.param("a=1&a=2", "a=2&a=1", False, id="the order of one name's values counts"),
        pytest.param("a=1", "a=1&a=1", False, id="how often counts"),
        pytest.param("a=%ff", "a=%fe", False, id="bytes that are not UTF-8 count"),
        pytest.param("a=%ff", "a=\udcff", True, id="as sent or percent-coded"),
        pytest.param("a=1%26b=2", "a=1&b=2", False, id="a coded separator separates nothing"),
        pytest.param("A=1", "a=1", False, id="capitals count"),
        pytest.param("keys=1", "keys=2", False, id="a name that only begins like a secret's counts"),
    ],
)
def test_a_query_is_its_decoded_pairs(one: str, other: str, same: bool) -> None:
    assert (changed(query=one) == changed(query=other)) == same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param((("made-beta", "a,b"),), (("made-beta", " b ,, a,a"),), True, id="a set has no order"),
        pytest.param((("made-beta", "a"), ("made-beta", "b")), (("made-beta", "b,a"),), True, id="nor lines"),
        pytest.param((("made-beta", "a"),), (("made-beta", "a,b"),), False, id="a set's members count"),
        pytest.param(
            (("made-version", "a,b"),), (("made-version", "b,a"),), False, id="another's order counts"
        ),
        pytest.param((("made-version", " 1 "),), (("made-version", "1"),), True, id="space around does not"),
        pytest.param((("x-made-a", "1"),), (("x-made-b", "1"),), False, id="the name counts"),
        pytest.param(
            (("x-made-a", "1"), ("x-made-b", "2")), (("x-made-b", "2"), ("x-made-a", "1")), True, id="order"
        ),
        pytest.param((("made-version", "\udcff"),), (("made-version", "\udcfe"),), False, id="not UTF-8"),
        pytest.param(
            (("x-made-\udcff", "1"),), (("x-made-\udcfe", "1"),), False, id="a name that is not UTF-8"
        ),
    ],
)
def test_headers_that_change_the_answer(one: Headers, other: Headers, same: bool) -> None:
    assert (changed(headers=one) == changed(headers=other)) == same


@pytest.mark.parametrize("custom", ["", "k", "caf\u00e9", "\udcff", '{"model":"m-1"}'])
def test_the_callers_own_key_stands_for_the_body(custom: str) -> None:
    assert key_of(CALL, custom=custom) == key_of(call(b'{"model":"m-2"}'), custom=custom)
    assert key_of(CALL, custom=custom) not in (key_of(CALL), key_of(CALL, "other", custom=custom))
    assert key_of(CALL, custom=custom) != key_of(CALL, custom=custom + "x")


def test_the_callers_own_key_is_no_body_of_the_same_bytes() -> None:
    raw = call(b"raw", headers=())
    assert key_of(raw, custom="raw") != key_of(raw)


def test_kinds_of_bodies_are_told_apart() -> None:
    """What one body comes to must not be what another body is."""
    document = call(b"[1]")
    text = call(read(document).canonical + b"\0", headers=())
    assert read(text).kind == "raw"
    parts = ingredients(document, read(document), "")
    assert digest(parts) != digest((*parts[:-1], ("raw", parts[-1][1])))


PAIRS = st.lists(st.tuples(st.text(alphabet="ab", max_size=3), st.binary(max_size=3)), max_size=4)


@given(PAIRS, PAIRS)
def test_no_two_lists_of_ingredients_share_a_digest(
    one: list[tuple[str, bytes]], other: list[tuple[str, bytes]]
) -> None:
    assert (digest(tuple(one)) == digest(tuple(other))) == (one == other)


@given(st.text(alphabet="abc/", max_size=6), st.integers(0, 6), st.integers(0, 6))
def test_bytes_that_move_from_field_to_field_count(text: str, one: int, other: int) -> None:
    """Host, path and query in turn hold the same characters, cut elsewhere."""
    first, second = (changed(host=text[:cut], path=text[cut:]) for cut in (one, other))
    assert (first == second) == (text[:one] == text[:other])


@given(st.text(), st.text(), st.text(), st.binary())
def test_no_call_raises(path: str, query: str, value: str, body: bytes) -> None:
    texts = [
        part.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
        for part in (path, query, value)
    ]
    made = Call(
        PROVIDER, DIALECT, "POST", "https", "h", texts[0], texts[1], (("made-version", texts[2]),), body
    )
    assert key_of(made, custom=texts[2]) != key_of(made)


def test_a_group_is_of_one_dialect_host_and_scope() -> None:
    def group_of(made: Call, scope: str = "s") -> str:
        return group(ingredients(made, read(made), scope))

    same = {group_of(CALL), group_of(call(b"{}", path="/other", query="a=1"))}
    others = {
        group_of(call(host="other")),
        group_of(call(dialect=replace(DIALECT, name="o"))),
        group_of(CALL, "t"),
    }
    assert len(same) == 1 and len(others) == 3 and not same & others
    assert re.fullmatch("[0-9a-f]{32}", same.pop())


def test_the_secret_is_in_no_ingredient() -> None:
    made = call(query="key=one&api_key=one", headers=(*SECRET, ("x-api-key", "one"), ("cookie", "one")))
    assert b"one" not in b"".join(value for _, value in ingredients(made, read(made), "scope"))


def test_the_same_bytes_of_two_media_types_are_two_calls() -> None:
    wave, mp3 = (call(b"\xff", headers=(("content-type", kind),)) for kind in ("audio/wav", "audio/mpeg"))
    assert key_of(wave) != key_of(mp3)
