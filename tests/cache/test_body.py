import json
from typing import Any

import pytest

from made import DIALECT, field, multipart
from mitmcache.cache.body import Body, read

FORM = "multipart/form-data; boundary=xyz"
FILE = 'content-disposition: form-data; name="user"; filename="a.wav"\r\ncontent-type: audio/wav'
BOTH = multipart("xyz", (field("model"), b"m-1"), (field("user"), b"u-1"), (FILE, b"\x00\x01"))


def form(*parts: tuple[str, bytes], boundary: str = "xyz") -> Body:
    return read(multipart(boundary, *parts), f"multipart/form-data; boundary={boundary}", DIALECT)


@pytest.mark.parametrize(
    ("body", "content_type", "kind"),
    [
        (b'{"a":1}', "application/json", "json"),
        (b'{"a":1}', "application/json; charset=utf-8", "json"),
        (b'{"a":1}', "Application/VND.api+JSON", "json"),
        (b"1", "application/json", "json"),
        (b' {"a":1}', "", "json"),
        (b"[1]", "text/plain", "json"),
        (b"1", "text/plain", "raw"),
        (b"{not json", "", "raw"),
        (b"", "application/json", "raw"),
        (b"", "", "raw"),
        (b'{"a":NaN}', "application/json", "raw"),
        (b'{"a":1,"a":1}', "application/json", "raw"),
        (b"\xef\xbb\xbf{}", "application/json", "raw"),
        (b'{"a":"\\ud800"}', "application/json", "raw"),
        (b"[" * 5000 + b"]" * 5000, "application/json", "raw"),
        (b"\x00\x01RIFF", "audio/wav", "raw"),
        (BOTH, FORM, "multipart"),
        (BOTH, "Multipart/Form-Data; Boundary=xyz", "multipart"),
        (BOTH, "multipart/form-data", "raw"),
        (BOTH[:-6], FORM, "raw"),
    ],
)
def test_a_body_is_of_this_kind(body: bytes, content_type: str, kind: str) -> None:
    assert read(body, content_type, DIALECT).kind == kind


@pytest.mark.parametrize("body", [b"", b"\xff", b'{"a":1,"a":2}', b"{", BOTH[:-6]])
def test_what_has_no_single_meaning_is_its_bytes_and_has_no_tree(body: bytes) -> None:
    made = read(body, FORM if body.startswith(b"--") else "application/json", DIALECT)
    assert (made.canonical, made.tree) == (body, None)


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (b'{"user":"u","drop_me":1,"model":"m"}', {"user": "u", "drop_me": 1, "model": "m"}),
        (b'{"a":-Infinity,"store":true}', {"a": float("-inf"), "store": True}),
        (b'{"store":true,"store":true}', {"store": True}),
        (b"\xef\xbb\xbf{}", {}),
        (b"[1]", [1]),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_a_dialect_sees_every_field_even_where_the_body_counts_as_bytes(body: bytes, seen: Any) -> None:
    """A refusal (`store: true`) must not be got round by a second key or a volatile path."""
    assert read(body, "application/json", DIALECT).seen == seen


def test_volatile_fields_are_out_of_the_canonical_bytes() -> None:
    body = b'{"user":"u","drop_me":1,"model":"m","options":{"trace":1}}'
    assert read(body, "application/json", DIALECT).canonical == b'{"model":"m"}'


def test_a_tree_is_what_the_canonical_bytes_were_made_from() -> None:
    assert read(b'{"user":"u","n":1.0}', "application/json", DIALECT).tree == {"n": 1}


PARTS: tuple[tuple[str, bytes], ...] = ((field("model"), b"m-1"), (FILE, b"\x00\x01"))


def test_the_boundary_does_not_count() -> None:
    assert form(*PARTS, boundary="abc").canonical == form(*PARTS, boundary="a-b-c-d").canonical


def test_a_volatile_text_part_does_not_count() -> None:
    assert form(*PARTS, (field("user"), b"u-1")).canonical == form(*PARTS).canonical


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(((field("model"), b"m-2"), PARTS[1]), id="another text"),
        pytest.param((PARTS[0], (FILE, b"\x00\x02")), id="another file"),
        pytest.param((PARTS[0], (FILE.replace("a.wav", "b.wav"), b"\x00\x01")), id="another file name"),
        pytest.param((PARTS[0], (FILE.replace("/wav", "/mp3"), b"\x00\x01")), id="another media type"),
        pytest.param((PARTS[1], PARTS[0]), id="another order"),
        pytest.param((PARTS[0],), id="without the file, though its name is a volatile field's"),
        pytest.param((*PARTS, PARTS[0]), id="a part twice"),
        pytest.param(((field("model"), b""), (FILE, b"m-1\x00\x01")), id="bytes moved between parts"),
    ],
)
def test_anything_else_of_a_part_counts(other: tuple[tuple[str, bytes], ...]) -> None:
    assert form(*other).canonical != form(*PARTS).canonical


def test_a_dialect_sees_the_text_parts_alone_and_none_of_the_long_ones() -> None:
    long = (field("long"), b"x" * (64 * 1024 + 1))
    assert form(*PARTS, (field("user"), b"u\xff"), long).seen == {"model": "m-1", "user": "u\ufffd"}


def test_a_text_part_of_64_kib_is_seen() -> None:
    assert len(form((field("long"), b"x" * 64 * 1024)).seen["long"]) == 64 * 1024


def test_no_word_of_a_request_is_written_to_logs() -> None:
    assert "m-1" not in repr(form(*PARTS)) + repr(read(b'{"model":"m-1"}', "", DIALECT))


def test_each_counted_part_is_a_place_of_the_tree() -> None:
    tree = form(*PARTS, (field("user"), b"u-1")).tree
    assert list(tree) == ["model#0", "user#1"]


def test_a_part_name_that_is_not_utf_8_counts_and_can_be_written_down() -> None:
    one, other = (form((field(name), b"1")) for name in ("a\udcff", "a\udcfe"))
    assert one.canonical != other.canonical
    json.dumps(one.tree).encode()
    assert next(iter(one.tree)).encode() == b"a?#0"


def test_a_temporary_files_name_does_not_count_and_its_extension_does() -> None:
    def sent(name: str, data: bytes = b"\x00") -> bytes:
        head = f'content-disposition: form-data; name="file"; filename="{name}"'
        return read(multipart("xyz", (head, data)), FORM, DIALECT).canonical

    assert sent("tmpk3_x9a2b.wav") == sent("tmp0123abcd.wav")
    assert sent("tmpk3_x9a2b.wav") != sent("tmpk3_x9a2b.mp3")
    assert sent("tmpk3_x9a2b.wav") != sent("tmpk3_x9a2b.wav", b"\x01")
    assert sent("a.wav") != sent("b.wav")
