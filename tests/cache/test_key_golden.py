"""The encoding of the key, pinned: what is stored today must be found tomorrow."""

import pytest

from made import CALL, call, field, key_of, multipart
from mitmcache.cache.key import KEY_VERSION, variant
from mitmcache.exchange import Call, Headers

FORM: Headers = (("content-type", "multipart/form-data; boundary=xyz"),)

GOLDEN: list[tuple[str, Call, str | None, str]] = [
    ("a plain call", CALL, None, "b20ba11f7939f0d445a59b70e93e7a8b7cf95ed3a97634be374ac7dd418e2efe"),
    ("an empty body", call(b""), None, "5e9a7435d0f9104b26043d575c4d1e4a35848c114687b438acb5babb11a5dcd4"),
    (
        "a body that is not JSON",
        call(b"{"),
        None,
        "1cbae757cc09d419dab8952a0a38e641d9dc7f30b2b297472f9eafcdedcbb2d9",
    ),
    (
        "nested JSON, numbers, escapes",
        call(b'{"b":[1.50,1e400,18446744073709551617],"a":"\\u00e9"}'),
        None,
        "a3fd99045bb7a647f5bc22b346403ab73335830b6309f6729b94766066266287",
    ),
    (
        "volatile fields",
        call(b'{"user":"u","drop_me":1,"options":{"trace":1},"model":"m-1"}'),
        None,
        "b20ba11f7939f0d445a59b70e93e7a8b7cf95ed3a97634be374ac7dd418e2efe",
    ),
    (
        "a multipart body",
        call(multipart("xyz", (field("model"), b"m-1"), (field("a"), b"")), headers=FORM),
        None,
        "b17addf72a5760eaf5040e0d016b1f6fdb3bc31a258819f4095a590d64f3dbb8",
    ),
    (
        "a query",
        call(query="b=2&a=%20&key=SECRET&beta=true"),
        None,
        "d008cd36a9dcd1299347ec7758aa06db3b1fc44f58babe6d0207977331b76a23",
    ),
    (
        "a path that is not ASCII",
        call(path="/v1/\u00e9\udcff"),
        None,
        "86696e2f77ebeeba940e6a9f41c0b47dc109b8e9f0983980ad45a42fbbf1b720",
    ),
    (
        "headers that change the answer",
        call(
            headers=(("made-version", "1"), ("made-beta", "b, a"), ("x-made-x", "1"), ("made-project", "p"))
        ),
        None,
        "4db48a6111993c1e5060de3cb8a9e1e5f2d3e33f7e9528ce3232910b83b30223",
    ),
    (
        "a key of the caller's own",
        CALL,
        "my key",
        "9814d7fc2a8838dd79f80f04cc26aa9999b174902d08ef7673302673027cbfce",
    ),
]


@pytest.mark.parametrize(
    ("made", "custom", "expected"), [pytest.param(*case[1:], id=case[0]) for case in GOLDEN]
)
def test_a_call_has_this_key(made: Call, custom: str | None, expected: str) -> None:
    """Pinned: what is stored today must be found tomorrow. A change here is a new KEY_VERSION."""
    assert key_of(made, custom=custom) == expected


def test_the_version_of_the_encoding_is_one() -> None:
    assert KEY_VERSION == 1


def test_no_two_golden_calls_share_a_key() -> None:
    assert len({key for *_, key in GOLDEN}) == len(GOLDEN) - 1  # the volatile fields' call is the plain one


def test_a_variant_has_this_key_and_the_first_that_of_the_call() -> None:
    plain = key_of(CALL)
    assert variant(plain, 0) == plain
    assert variant(plain, 1) == "e95389c33c8cffd9d1affbce77c0e35672cdcebef2b3a9f5f6c840d1db63963b"
    assert len({variant(plain, number) for number in range(100)}) == 100
