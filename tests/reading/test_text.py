import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsonforms import DOCUMENTS
from mitmcache.providers.base import Json
from mitmcache.reading.text import MOST_OF_ONE, arguments, called, compact, media, size, tidy

PICTURE = base64.b64encode(bytes(range(256)) * 48).decode()  # 12,288 bytes
LINES = "\n".join(PICTURE[start : start + 76] for start in range(0, len(PICTURE), 76))


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (12_288, "12 kB"),
        (999_499, "999 kB"),
        (1_250_000, "1.2 MB"),
    ],
)
def test_sizes_are_short(amount: int, written: str) -> None:
    assert size(amount) == written


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, and a path/to/a/file", "plain text, and a path/to/a/file"),
        (f"see {PICTURE} there", "see [base64 12 kB] there"),
        (f"![a](data:image/png;base64,{PICTURE})", "![a]([image/png 12 kB])"),
        (f"data:text/plain;charset=utf-8;base64,{PICTURE}", "[text/plain 12 kB]"),
        (f"{LINES}\nend", "[base64 12 kB]\nend"),
        ("half an emoji \ud83d", "half an emoji ?"),
    ],
)
def test_text_is_shown_without_what_is_packed(text: str, shown: str) -> None:
    assert tidy(text) == shown


def test_a_long_text_is_counted() -> None:
    shown = tidy("word " * MOST_OF_ONE)
    assert shown.endswith(f"\n[… {4 * MOST_OF_ONE} more characters]")
    assert len(shown) < MOST_OF_ONE + 50


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"a": [1, "é"], "b": None}, '{"a": [1, "é"], "b": null}'),
        ({"data": PICTURE}, '{"data": "[base64 12 kB]"}'),
        ([0.5] * 1536, '"[1536 numbers]"'),
        ("as it is", "as it is"),
        ({1: object()}, "[unreadable]"),
    ],
)
def test_a_value_is_one_line(value: Json, shown: str) -> None:
    assert compact(value) == shown


def test_a_deep_value_is_cut() -> None:
    deep: Json = 1
    for _ in range(900):
        deep = [deep]
    assert "…" in compact(deep)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ('{"city":"Oslo"}', '{"city": "Oslo"}'),
        ('{"city":', '{"city":'),
        ({"city": "Oslo"}, '{"city": "Oslo"}'),
        (None, "{}"),
        ("", ""),
    ],
)
def test_arguments_are_json_or_the_text_of_it(given: Json, shown: str) -> None:
    assert arguments(given) == shown


def test_a_call_names_its_id() -> None:
    assert called("weather", '{"city":"Oslo"}', "call_1") == '→ weather({"city": "Oslo"})  [call_1]'
    assert called("weather", None, 5) == "→ weather({})"


@pytest.mark.parametrize(
    ("media_type", "data", "shown"),
    [
        ("image/png", PICTURE, "[image image/png 12 kB]"),
        (None, f"data:image/png;base64,{PICTURE}", "[image image/png 12 kB]"),
        (None, "https://example.com/a.png?signature=secret", "[image https://example.com/a.png]"),
        (None, "file-abc", "[image file-abc]"),
        ("image/png", None, "[image image/png]"),
        (None, {"a": 1}, "[image]"),
    ],
)
def test_media_are_told_by_kind_and_size(media_type: Json, data: Json, shown: str) -> None:
    assert media("image", media_type, data) == shown


@given(DOCUMENTS | st.text())
def test_anything_can_be_written_down(value: Json) -> None:
    assert len((compact(value) + arguments(value)).encode()) < 10 * MOST_OF_ONE
