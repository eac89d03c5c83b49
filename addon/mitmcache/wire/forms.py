"""Which reader splits a stream of which media type."""

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


def reader_for(content_type: str) -> Reader | None:
    """A new reader for a Content-Type value, parameters and letter case aside; None if it names no stream.

    `application/json` names none: only the request tells Gemini's streamed array (`JsonArrayReader`) from
    a plain document.
    """
    make = _READERS.get(content_type.partition(";")[0].strip().lower())
    return make() if make else None
