"""Which reader splits a stream."""

from collections.abc import Callable

from mitmcache.wire.events import Reader
from mitmcache.wire.eventstream import EventStreamReader
from mitmcache.wire.ndjson import NdjsonReader
from mitmcache.wire.sse import SseReader

_READERS: dict[str, Callable[[], Reader]] = {
    "text/event-stream": SseReader,
    "application/x-ndjson": NdjsonReader,
    "application/ndjson": NdjsonReader,
    "application/jsonl": NdjsonReader,
    "application/stream+json": NdjsonReader,  # Cohere v1
    "application/vnd.amazon.eventstream": EventStreamReader,
}
_SSE_STARTS = (b"data:", b"event:", b"id:", b"retry:", b":", b"\xef\xbb\xbfdata:")


def reader_for(content_type: str) -> Reader | None:
    """A new reader for a Content-Type value, parameters and letter case aside; None if it names no stream.

    `application/json` names none: Gemini's streamed array is one JSON document like any other.
    """
    make = _READERS.get(content_type.partition(";")[0].strip().lower())
    return make() if make else None


def reader_of(body: bytes) -> Reader | None:
    """A new reader for a whole body that its media type tells nothing about; None if it looks like none.

    There are servers that call a stream JSON, or text, or nothing at all.
    """
    if body.lstrip(b"\r\n").startswith(_SSE_STARTS):
        return SseReader()
    if body[:1] == b"{":
        return NdjsonReader()
    frames = EventStreamReader()
    return EventStreamReader() if frames.feed(body) and not frames.broken else None
