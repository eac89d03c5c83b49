import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from held import held_by
from made import CALL, call, field, multipart, read
from mitmcache.cache.key import ingredients
from mitmcache.cache.shape import MAX_PLACES, Near, Shape, difference, nearest, pack, shape, unpack
from mitmcache.exchange import Call

SECRET = b"s" * 32


def shape_of(made: Call, secret: bytes = SECRET, custom: str | None = None) -> Shape:
    body = read(made)
    return shape(ingredients(made, body, "scope", custom), body, secret)


def differs(body: bytes, other: bytes) -> list[str]:
    return difference(shape_of(call(body)), shape_of(call(other)))


def test_every_leaf_and_every_ingredient_has_a_place() -> None:
    made = call(b'{"model":"m","n":[{"a":1},[]],"o":{}}', query="x=1", headers=(("made-version", "1"),))
    assert list(shape_of(made)) == [
        "method",
        "path",
        "query",
        "header made-version",
        "model",
        "n[0].a",
        "n[1]",
        "o",
    ]


def test_what_all_of_one_group_share_has_no_place() -> None:
    assert not {"dialect", "origin", "scope", "json"} & set(shape_of(CALL))


@pytest.mark.parametrize(
    ("made", "place"),
    [
        pytest.param(call(b"not json"), "raw", id="a raw body"),
        pytest.param(call(b"1"), "body", id="a document that is one value"),
        pytest.param(call(b"[1]"), "[0]", id="a document that is a list"),
        pytest.param(
            call(
                multipart("x", (field("f"), b"1")),
                headers=(("content-type", "multipart/form-data; boundary=x"),),
            ),
            "f#0",
            id="a part",
        ),
    ],
)
def test_bodies_of_other_kinds_have_these_places(made: Call, place: str) -> None:
    assert list(shape_of(made))[-1] == place


def test_the_callers_own_key_has_a_place() -> None:
    assert "custom" in shape_of(CALL, custom="k")


DIFFERENCES = [
    ("nothing", b'{"a":1}', b'{"a":1.0}', []),
    ("a value", b'{"a":1,"b":2}', b'{"a":1,"b":3}', ["b"]),
    ("a field more", b'{"a":1,"b":2}', b'{"a":1}', ["b"]),
    ("a field less", b'{"a":1}', b'{"a":1,"b":2}', ["b"]),
    ("deep inside", b'{"m":[{"c":"x"},{"c":"y"}]}', b'{"m":[{"c":"x"},{"c":"z"}]}', ["m[1].c"]),
    ("type only", b'{"a":1}', b'{"a":"1"}', ["a"]),
    ("volatile alone", b'{"a":1,"user":"u"}', b'{"a":1}', []),
    ("mine come first", b'{"b":1,"z":1}', b'{"a":1,"b":2}', ["b", "z", "a"]),
    ("a dotted name beside a nested one", b'{"a.b":1,"a":{"b":2}}', b'{"a.b":3,"a":{"b":2}}', ["a.b"]),
    ("a nested name beside a dotted one", b'{"a.b":1,"a":{"b":2}}', b'{"a.b":1,"a":{"b":3}}', ["a.b"]),
    ("exact numbers", b'{"a":18446744073709551616}', b'{"a":18446744073709551617}', ["a"]),
]


@pytest.mark.parametrize(
    ("mine", "other", "places"), [pytest.param(*case[1:], id=case[0]) for case in DIFFERENCES]
)
def test_the_places_that_differ_are_named(mine: bytes, other: bytes, places: list[str]) -> None:
    assert differs(mine, other) == places


def test_a_body_field_does_not_hide_an_ingredient_of_its_name() -> None:
    one, other = (call(b'{"query":"q"}', query=query) for query in ("a=1", "a=2"))
    assert difference(shape_of(one), shape_of(other)) == ["query"]


def test_a_parts_file_name_is_in_its_place() -> None:
    form = (("content-type", "multipart/form-data; boundary=x"),)
    one, other = (
        call(multipart("x", (f'{field("f")}; filename="{name}"', b"1")), headers=form) for name in ("a", "b")
    )
    assert difference(shape_of(one), shape_of(other)) == ["f#0"]


def test_a_part_name_that_is_not_utf_8_can_be_packed() -> None:
    made = call(
        multipart("x", (field("f\udcff"), b"1")),
        headers=(("content-type", "multipart/form-data; boundary=x"),),
    )
    assert unpack(pack(shape_of(made))) == shape_of(made)


def test_no_word_of_the_request_is_in_a_shape() -> None:
    packed = pack(shape_of(call(b'{"prompt":"launch code","n":12345}', path="/v1/secret-name")))
    assert not any(word in packed for word in (b"launch", b"code", b"12345", b"secret"))


def test_without_the_key_a_shape_says_nothing_of_a_value() -> None:
    assert len(difference(shape_of(CALL), shape_of(CALL, b"t" * 32))) == len(shape_of(CALL))


def test_a_shape_is_bounded_and_what_lies_beyond_still_counts() -> None:
    values = {f"f{at:04}": at for at in range(MAX_PLACES * 2)}
    one, same, other = (
        shape_of(call(orjson.dumps(document))) for document in (values, values, {**values, "f1023": -1})
    )
    assert len(one) == MAX_PLACES + 1
    assert (difference(one, same), difference(one, other)) == ([], ["..."])


def test_a_deep_document_has_a_shape() -> None:
    body = b'{"a":' * 250 + b"1" + b"}" * 250
    assert len(shape_of(call(body))) == 4


@given(st.dictionaries(st.text(), st.text()))
def test_what_is_packed_is_unpacked(places: dict[str, str]) -> None:
    assert unpack(pack(places)) == places


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"1", b"\xff", b"[" * 5000])
def test_what_was_not_packed_is_no_shape(data: bytes) -> None:
    assert unpack(data) == {}


NEAREST: list[tuple[str, list[Shape], list[str] | None]] = [
    ("none to compare with", [], None),
    ("none that can be read", [{}], None),
    ("an equal one", [{"a": "1", "b": "2"}], []),
    ("the one with the fewest places", [{"a": "9", "b": "9"}, {}, {"a": "1", "b": "9"}], ["b"]),
    ("the first of two as near", [{"a": "9", "b": "2"}, {"a": "1", "b": "9"}], ["a"]),
]


@pytest.mark.parametrize(("others", "places"), [pytest.param(*case[1:], id=case[0]) for case in NEAREST])
def test_the_most_alike_explains(others: list[Shape], places: list[str] | None) -> None:
    keyed = [(str(at), other) for at, other in enumerate(others)]
    found = nearest({"a": "1", "b": "2"}, keyed)
    assert (found and found.places) == places


def test_the_most_alike_is_named_by_its_key() -> None:
    others = [("one", {"a": "2", "b": "1"}), ("other", {"a": "2", "c": "1"})]
    assert nearest({"a": "1", "c": "1"}, others) == Near("other", ["a"], ("a",))


def test_what_only_one_of_them_has_has_not_changed() -> None:
    found = nearest({"a": "1", "b": "1"}, [("other", {"a": "2", "c": "1"})])
    assert found == Near("other", ["a", "b", "c"], ("a",))


def test_a_shape_is_small_json() -> None:
    assert all(len(value) == 12 for value in json.loads(pack(shape_of(CALL))).values())


def test_a_packed_shape_takes_no_more_memory_than_its_length() -> None:
    # this is what the bounds of all that waits to be stored go by
    places = {f"messages[{number}].content": "0" * 12 for number in range(20)}
    assert held_by(lambda: [pack(places) for _ in range(100)]) < 200 * len(pack(places))
