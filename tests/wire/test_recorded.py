"""Every recorded stream is split by its reader, however it is cut into chunks."""

import random
from collections.abc import Iterator

import orjson
import pytest

from corpus import Entry, body_of, corpus_dir, entries
from mitmcache.wire.coding import Decoder, decode
from mitmcache.wire.events import Event, Reader
from mitmcache.wire.eventstream import EventStreamReader
from mitmcache.wire.forms import reader_for
from mitmcache.wire.ndjson import NdjsonReader
from mitmcache.wire.sse import SseReader
from wire.chunks import read, split

pytestmark = pytest.mark.skipif(corpus_dir() is None, reason="no corpus")

LIMIT = 64 << 20
READERS: dict[str, type[Reader]] = {
    "sse": SseReader,
    "ndjson": NdjsonReader,
    "eventstream": EventStreamReader,
}
forms = pytest.mark.parametrize("form", READERS)


def streams(form: str) -> Iterator[tuple[Entry, str, bytes]]:
    for entry in entries():
        if entry["stream_format"] == form:
            response = entry["response"]
            yield entry, header(response, "content-encoding"), body_of(response)


def header(response: Entry, name: str) -> str:
    return next((value for key, value in response["headers"] if key.lower() == name), "")


def chunked(data: bytes, seed: str) -> list[bytes]:
    chance = random.Random(seed)
    return split(
        data, [chance.randrange(len(data)) for _ in range(len(data) // chance.choice([7, 100, 1400]))]
    )


@forms
def test_chunks_as_they_come_give_the_events_of_the_whole(form: str) -> None:
    for entry, encoding, wire in streams(form):
        body = decode(wire, encoding, LIMIT)
        decoder = Decoder(encoding)
        live = [decoder.feed(chunk) for chunk in chunked(wire, entry["id"])]
        assert b"".join(live) == body, entry["id"]
        whole = read(READERS[form](), [body])
        assert read(READERS[form](), live) == whole, entry["id"]
        assert read(READERS[form](), chunked(body, entry["id"])) == whole, entry["id"]


@forms
def test_none_is_broken_and_every_payload_is_json(form: str) -> None:
    """No recording is cut, so each reader is content with each of its streams."""
    seen = 0
    for entry, encoding, wire in streams(form):
        reader = READERS[form]()
        events = read(reader, [decode(wire, encoding, LIMIT)])
        assert events and not reader.broken, entry["id"]
        for event in events:
            assert event.data == b"[DONE]" or isinstance(orjson.loads(event.data), dict), entry["id"]
        seen += 1
    assert seen


def test_the_content_type_names_the_right_reader() -> None:
    """Where a recording has one; a Gemini array comes as plain JSON, and one SSE stream does too."""
    for form, kind in READERS.items():
        for entry, _, _ in streams(form):
            reader = reader_for(header(entry["response"], "content-type"))
            assert reader is None or type(reader) is kind, entry["id"]


def test_the_error_line_of_a_llama_cpp_descendant_is_heard() -> None:
    errors: list[Event] = []
    for _, encoding, wire in streams("sse"):
        errors += [event for event in read(SseReader(), [decode(wire, encoding, LIMIT)]) if event.error]
    assert errors and all("error" in orjson.loads(event.data) for event in errors)


def test_recorded_json_bodies_decode_too() -> None:
    for entry in entries():
        encoding = header(entry["response"], "content-encoding")
        if encoding and not entry["stream_format"]:
            decode(body_of(entry["response"]), encoding, LIMIT)
