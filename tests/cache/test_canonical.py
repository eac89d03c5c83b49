import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsonforms import DOCUMENTS, OBJECTS, value_of, write
from mitmcache.cache import canonical
from mitmcache.cache.canonical import Ambiguous

GOLDEN = [
    ("an empty object", b"{}", b"{}"),
    (
        "keys are sorted at every level",
        b'{"b":{"d":1,"c":2},"a":[{"z":1,"y":2}]}',
        b'{"a":[{"y":2,"z":1}],"b":{"c":2,"d":1}}',
    ),
    ("white space goes", b' { "a" : [ 1 ,\t2 ]\r\n} ', b'{"a":[1,2]}'),
    ("an escape is its character", b'"\\u0041\\/\\u00e9\\ud83d\\ude00"', '"A/é😀"'.encode()),
    (
        "control characters keep their escape",
        b'"\\u0000\\u001f\\n\\t\\\\\\""',
        b'"\\u0000\\u001f\\n\\t\\\\\\""',
    ),
    ("characters are not normalised", '"e\u0301"'.encode(), '"e\u0301"'.encode()),
    ("words", b"[true,false,null]", b"[true,false,null]"),
    ("text is no number", b'"1"', b'"1"'),
    ("one", b"1", b"1"),
    ("one with a fraction", b"1.0", b"1"),
    ("one with an exponent", b"1e0", b"1"),
    ("one by ten", b"10e-1", b"1"),
    ("one with capital E and plus", b"0.1E+1", b"1"),
    ("a tenth", b"0.1", b"1e-1"),
    ("a tenth with a trailing zero", b"0.10", b"1e-1"),
    ("a tenth with an exponent", b"1e-1", b"1e-1"),
    ("zero", b"0", b"0"),
    ("minus zero", b"-0", b"0"),
    ("minus zero as a fraction", b"-0.000e7", b"0"),
    ("zero by any power", b"0e999999999999", b"0"),
    ("a negative number", b"-1.50", b"-15e-1"),
    ("eighteen digits", b"123456789012345678", b"123456789012345678"),
    ("eighteen digits with a sign", b"-123456789012345678", b"-123456789012345678"),
    ("nineteen digits", b"1234567890123456789", b"1234567890123456789e0"),
    ("beyond 64 bits", b"18446744073709551617", b"18446744073709551617e0"),
    ("a round number beyond 64 bits", b"100000000000000000000", b"1e20"),
    ("the same with an exponent", b"1e20", b"1e20"),
    ("an integer with a fraction at the edge", b"100000000000000000.0", b"100000000000000000"),
    ("more digits than a double has", b"0.12345678901234567890", b"1234567890123456789e-19"),
    ("beyond a double", b"1e400", b"1e400"),
    ("far beyond a double", b"1e999999999999", b"1e999999999999"),
]

AMBIGUOUS = [
    ("nothing", b""),
    ("white space alone", b" \n"),
    ("a byte order mark", b"\xef\xbb\xbf{}"),
    ("not UTF-8", b'"\xff"'),
    ("UTF-16", '{"a":1}'.encode("utf-16")),
    ("a key twice", b'{"a":1,"a":1}'),
    ("a key twice, once escaped", b'{"a":1,"\\u0061":2}'),
    ("a key twice, deep inside", b'[{"x":{"a":1,"b":2,"a":3}}]'),
    ("NaN", b'{"a":NaN}'),
    ("Infinity", b"[Infinity]"),
    ("minus Infinity", b"[-Infinity]"),
    ("a lone high surrogate", b'"\\ud800"'),
    ("a lone low surrogate as a key", b'{"\\udc00":1}'),
    ("a raw control character", b'"a\nb"'),
    ("a trailing comma", b"[1,]"),
    ("two documents", b"{}{}"),
    ("a leading zero", b"01"),
    ("a form feed for space", b"\x0c1"),
    ("an exponent of 5,000 digits", b"1e" + b"9" * 5000),
    ("5,000 lists in each other", b"[" * 5000 + b"]" * 5000),
    ("5,000 objects in each other", b'{"a":' * 5000 + b"1" + b"}" * 5000),
    ("200,000 lists in each other", b"[" * 200_000 + b"]" * 200_000),
    ("5,000 lists, never closed", b"[" * 5000),
]


def canonical_of(body: bytes) -> bytes:
    return canonical.dump(canonical.parse(body))


@pytest.mark.parametrize(("body", "expected"), [pytest.param(*case[1:], id=case[0]) for case in GOLDEN])
def test_a_document_has_these_canonical_bytes(body: bytes, expected: bytes) -> None:
    """Pinned: whoever changes the encoding changes every key, and must raise KEY_VERSION."""
    assert canonical_of(body) == expected


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in AMBIGUOUS])
def test_what_has_no_single_meaning_is_refused_and_nothing_else_is_raised(body: bytes) -> None:
    with pytest.raises(Ambiguous):
        canonical_of(body)


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in AMBIGUOUS])
def test_a_lenient_look_never_raises(body: bytes) -> None:
    canonical.lenient(body)


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (b"\xef\xbb\xbf{}", {}),
        (b'{"a":1,"a":2}', {"a": 2}),
        ('{"a":1}'.encode("utf-16"), {"a": 1}),
        (b'{"a":Infinity,"store":true}', {"a": float("inf"), "store": True}),
        (b"", None),
        (b"\xff", None),
        (b"[" * 200_000, None),
    ],
)
def test_a_lenient_look_sees_what_most_servers_would(body: bytes, seen: Any) -> None:
    assert canonical.lenient(body) == seen


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"18446744073709551616", b"18446744073709551617"),
        (b"9007199254740992", b"9007199254740993"),
        (b"0.1", b"0.1000000000000000055511151231257827"),
        (b"1.00000000000000000", b"1.00000000000000001"),
        (b"1e400", b"1e401"),
        (b"9" * 5000, b"9" * 4999 + b"8"),
        (b"1", b"-1"),
        (b"1", b"true"),
        (b"0", b"false"),
        (b"null", b'"null"'),
        (b"1e20", b'"1e20"'),
        (b"[]", b"{}"),
        (b"[1,2]", b"[2,1]"),
        (b"[[1],2]", b"[1,[2]]"),
        ('"é"'.encode(), '"e\u0301"'.encode()),
        (b'{"a":null}', b"{}"),
        (b'{"":1}', b'{" ":1}'),
    ],
)
def test_what_differs_by_a_little_differs(one: bytes, other: bytes) -> None:
    assert canonical_of(one) != canonical_of(other)


@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_formatting_does_not_count(document: Any, rng: random.Random) -> None:
    assert canonical_of(write(document, rng)) == canonical_of(write(document, rng))


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False), min_size=2, max_size=2), st.randoms())
def test_two_numbers_are_one_when_their_values_are(pair: list[Decimal], rng: random.Random) -> None:
    one, other = (canonical_of(str(number).encode()) for number in pair)
    assert (one == other) == (pair[0] == pair[1])


@given(st.floats(allow_nan=False, allow_infinity=False), st.randoms(use_true_random=False))
def test_every_form_of_a_double_is_one(number: float, rng: random.Random) -> None:
    assert canonical_of(write(number, rng)) == canonical_of(repr(number).encode())


@given(st.binary(max_size=40))
def test_arbitrary_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        canonical_of(body)
    except Ambiguous:
        return


@given(OBJECTS, st.data())
def test_any_change_of_one_thing_counts(document: dict[str, Any], data: st.DataObject) -> None:
    rng = random.Random(0)
    before = canonical_of(write(document, rng))
    changed = data.draw(st.sampled_from(list(changes(document))))
    assert canonical_of(write(changed, rng)) != before


def changes(node: Any) -> Iterator[Any]:
    """The document with one thing changed, in every place and way."""
    if isinstance(node, dict):
        yield {**node, "added" + "".join(node): 1}
        for name, value in node.items():
            rest = {other: kept for other, kept in node.items() if other != name}
            yield rest
            yield {**rest, name + "x": value} if name + "x" not in node else {**node, name: [value]}
            yield from ({**node, name: new} for new in changes(value))
    elif isinstance(node, list):
        yield [*node, None]
        for at, value in enumerate(node):
            yield node[:at] + node[at + 1 :]
            yield from ([*node[:at], new, *node[at + 1 :]] for new in changes(value))
            if at and not same(node[at - 1], value):
                yield [*node[: at - 1], value, node[at - 1], *node[at + 1 :]]
    elif isinstance(node, str):
        yield from (node + " ", node + "\0", [node])
    elif isinstance(node, bool) or node is None:
        yield from (not node, 0, "")
    else:
        sign, digits, exponent = value_of(node).as_tuple()
        assert isinstance(exponent, int)
        yield Decimal((sign, (*digits, 1), exponent - 1))
        yield from (Decimal((1 - sign, digits, exponent)) if node else 1, str(node))


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 and 1.0 are one number, 1 and true are two things."""
    if type(one) is type(other) and isinstance(one, dict | list):
        if len(one) != len(other):
            return False
        if isinstance(one, dict):
            return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
        return all(map(same, one, other))
    number = (int, float, Decimal)
    if isinstance(one, number) and isinstance(other, number) and bool not in (type(one), type(other)):
        return value_of(one) == value_of(other)
    return type(one) is type(other) and bool(one == other)
