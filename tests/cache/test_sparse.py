"""What is read the short way is what the exact reader gives, or is not read at all."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mitmcache.cache import canonical, sparse

LONG = "a prompt of some length. " * 400


def short(body: bytes, bytes_per_quote: int = sparse.BYTES_PER_QUOTE) -> Any:
    return sparse.parse(body, canonical._number, bytes_per_quote=bytes_per_quote)


COMPACT = [
    '{"model":"m","messages":[{"role":"user","content":"say \\"hi\\"\\n\\\\"}],"n":1,"on":true,"off":null}',
    '{"temperature":0.7,"top":1.0,"big":123456789012345678,"bigger":12345678901234567890,"list":[1.5,[2.5]]}',
    '{"grüße":"☃ 🎉","a":{},"b":[]}',
    "[1,2]",
]
SPARSE = [
    '{"messages": [{"role": "user", "content": "LONG"}], "n": 1, "on": true, "off": null}',
    '{"a": -12345678901234567, "b": [], "c": {}, "d": "LONG"}',
    ' {"grüße": "☃ 🎉 LONG"}\n',
]
UNSURE = [
    '{"a":1,"a":1}',
    '{"a":{"x":1,"y":2,"x":3}}',
    '{"a":1,"\\u0061":1}',
    '{"a":"\\u0041"}',
    '{"a":1e2}',
    '{"a":1.00}',
    '{"a":123456789012345678901234567890}',
    '{"a":NaN}',
    '{"a":"\\ud800"}',
    '{"a":1} ',
    '{"a":1',
    '{"a":"\n"}',
    '\ufeff{"a":1}',
    "",
    "null",
    '"a"',
    '{"a": 1, "a": 1, "b": "LONG"}',
    '{"a": {"x": 1, "y": 2, "x": 3}, "b": "LONG"}',
    '{"a": 1.0, "b": "LONG"}',
    '{"a": 123456789012345678, "b": "LONG"}',
    '{"a": "\\n", "b": "LONG"}',
    '{"a": 1}',
]


@pytest.mark.parametrize("text", COMPACT + SPARSE)
def test_what_sdks_send_is_read(text: str) -> None:
    body = text.replace("LONG", LONG).encode()
    found, expected = short(body), canonical.parse_exactly(body)
    assert canonical.dump(found) == canonical.dump(expected)
    assert list(found) == list(expected)


@pytest.mark.parametrize("text", UNSURE)
def test_what_may_be_read_in_two_ways_is_left_to_the_exact_reader(text: str) -> None:
    with pytest.raises(sparse.Unsure):
        short(text.replace("LONG", LONG).encode())


def test_a_short_document_and_one_of_many_strings_are_not_worth_it() -> None:
    long = json.dumps([LONG]).encode()
    assert sparse.worthwhile(long)
    assert not sparse.worthwhile(long[: sparse.LEAST - 1])
    assert not sparse.worthwhile(json.dumps(["short"] * 1000).encode())


@pytest.mark.parametrize("text", ["{'a':'LONG'}", '{"a":"LONG","a":"LONG"}'])
def test_what_is_ambiguous_stays_so(text: str) -> None:
    with pytest.raises(canonical.Ambiguous):
        canonical.parse(text.replace("LONG", LONG).encode())


class Pairs:
    """An object, in which a key may come twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


KEYS = st.sampled_from(["a", "b", "", '"', "\\", '\\"', "\\\\", "é", "\x00"])
VALUES = st.recursive(
    st.one_of(KEYS, st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=4)),
    lambda below: st.one_of(
        st.lists(below, max_size=4), st.lists(st.tuples(KEYS, below), max_size=4).map(Pairs)
    ),
    max_leaves=12,
)


def written(node: Any, *, ascii_only: bool, space: str) -> str:
    if isinstance(node, Pairs):
        pairs = (
            json.dumps(key, ensure_ascii=ascii_only)
            + f":{space}"
            + written(value, ascii_only=ascii_only, space=space)
            for key, value in node.pairs
        )
        return "{" + f",{space}".join(pairs) + "}"
    if isinstance(node, list):
        return "[" + ",".join(written(each, ascii_only=ascii_only, space=space) for each in node) + "]"
    return json.dumps(node, ensure_ascii=ascii_only)


@given(VALUES, st.booleans(), st.booleans())
@example(Pairs([("a", 1), ("a", 1)]), True, True)
@example(Pairs([("a", '"'), ("a", 1)]), True, False)
@example(Pairs([("a", '"'), ("b", 0.7)]), False, True)
def test_it_never_reads_anything_else_than_the_exact_reader(
    node: Any, ascii_only: bool, compact: bool
) -> None:
    body = written(node, ascii_only=ascii_only, space="" if compact else " ").encode("utf-8", "surrogatepass")
    try:
        found = canonical.dump(short(body, bytes_per_quote=1))
    except sparse.Unsure:
        return
    assert found == canonical.dump(canonical.parse_exactly(body))
