import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.units import age, duration, size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("24h", 86400),
        ("7d", 604800),
        ("2w", 1209600),
        ("250ms", 0.25),
        ("90", 90),
        ("1.5h", 5400),
        (" 24 H ", 86400),
        ("0", math.inf),
        ("0s", math.inf),
        ("0.0d", math.inf),
    ],
)
def test_a_duration_is_so_many_seconds(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.0), ("0s", 0.0), ("90s", 90.0), ("7d", 604800.0)])
def test_an_age_of_nothing_is_no_time_and_not_for_ever(text: str, seconds: float) -> None:
    assert age(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "h", "soon", "-1", "+1", "1y", "1h30m", "1,5h", "1e3", ".5", "5.", "0x10", "inf", "nan"]
)
def test_what_is_no_duration_says_what_is(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write 90s"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("512", 512),
        ("512b", 512),
        ("512k", 512 * 2**10),
        ("64m", 64 * 2**20),
        ("64 MB", 64 * 2**20),
        ("64MiB", 64 * 2**20),
        ("10g", 10 * 2**30),
        ("1.5G", 3 * 2**29),
        ("2t", 2**41),
    ],
)
def test_a_size_is_so_many_bytes(text: str, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize(
    "text", ["", "m", "many", "-1", "1p", "1 m b", "1e3", "1,5g", "inf", "9" * 400, "9" * 20, "99999999t"]
)
def test_what_is_no_size_says_what_is(text: str) -> None:
    with pytest.raises(ValueError, match="; write 512k, 64m, 10g"):
        size(text)


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (age, duration, size):
        try:
            assert read(text) >= 0
        except ValueError as error:
            assert "write" in str(error)
