import pytest

from mitmcache.wire.events import Reader
from mitmcache.wire.eventstream import EventStreamReader
from mitmcache.wire.forms import reader_for, reader_of
from mitmcache.wire.ndjson import NdjsonReader
from mitmcache.wire.sse import SseReader
from wire.frames import frame

CASES: list[tuple[str, type[Reader] | None]] = [
    ("text/event-stream", SseReader),
    ("text/event-stream; charset=utf-8", SseReader),
    ("Text/Event-Stream;charset=utf-8", SseReader),
    (" text/event-stream ", SseReader),
    ("application/x-ndjson", NdjsonReader),
    ("application/ndjson", NdjsonReader),
    ("application/jsonl", NdjsonReader),
    ("application/stream+json", NdjsonReader),
    ("application/vnd.amazon.eventstream", EventStreamReader),
    ("application/json", None),
    ("text/event-stream-x", None),
    ("text/plain; text/event-stream", None),
    ("", None),
]


@pytest.mark.parametrize(("content_type", "kind"), CASES)
def test_the_media_type_names_the_reader(content_type: str, kind: type[Reader] | None) -> None:
    reader = reader_for(content_type)
    assert (type(reader) if reader else None) is kind


def test_each_stream_has_a_reader_of_its_own() -> None:
    assert reader_for("text/event-stream") is not reader_for("text/event-stream")


BODIES: list[tuple[str, bytes, type[Reader] | None]] = [
    ("an SSE field", b"data: {}\n\n", SseReader),
    ("an SSE event name", b"event: ping\ndata: {}\n\n", SseReader),
    ("an SSE comment", b": waiting\n\ndata: {}\n\n", SseReader),
    ("blank lines first", b"\r\n\r\ndata: {}\n\n", SseReader),
    ("a byte order mark", b"\xef\xbb\xbfdata: {}\n\n", SseReader),
    ("lines of JSON", b'{"a": 1}\n{"a": 2}\n', NdjsonReader),
    ("AWS frames", frame("messageStart", b"{}"), EventStreamReader),
    ("a damaged AWS frame", frame("messageStart", b"{}")[:-1] + b"?", None),
    ("a page", b"<html></html>", None),
    ("nothing", b"", None),
]


@pytest.mark.parametrize(("body", "kind"), [case[1:] for case in BODIES], ids=[case[0] for case in BODIES])
def test_a_body_of_no_named_form_shows_its_reader_itself(body: bytes, kind: type[Reader] | None) -> None:
    reader = reader_of(body)
    assert (type(reader) if reader else None) is kind
