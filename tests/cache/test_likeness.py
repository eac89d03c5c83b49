from made import CALL, read
from mitmcache.cache import key, shape
from mitmcache.cache.likeness import Likeness

BODY = read(CALL)
PARTS = key.ingredients(CALL, BODY, "scope")


def likeness(secret: bytes = b"s" * 32) -> Likeness:
    return Likeness(PARTS, BODY, secret)


def test_a_likeness_is_the_group_and_the_shape_of_its_request() -> None:
    like = likeness()
    assert (like.group, like.shape) == (key.group(PARTS), shape.shape(PARTS, BODY, b"s" * 32))
    assert shape.unpack(like.packed) == like.shape and like.size == len(BODY.canonical)


def test_it_is_worked_out_once() -> None:
    like = likeness()
    assert like.shape is like.shape and like.packed is like.packed and like.group is like.group


def test_who_has_another_secret_sees_another_shape() -> None:
    assert likeness().shape.keys() == likeness(b"t" * 32).shape.keys()
    assert likeness().packed != likeness(b"t" * 32).packed
