"""A reply's body as the JSON documents that it is made of."""

import base64
import binascii

from mitmcache.exchange import Headers, header
from mitmcache.providers.base import Json
from mitmcache.providers.tools import dig, parse
from mitmcache.wire.events import Event, Reader
from mitmcache.wire.forms import reader_for, reader_of

type Named = tuple[str, Json]
"""A document and its event's name, "" where it has none."""


def documents(dialect: str, headers: Headers, body: bytes) -> tuple[list[Named], bool]:
    """The documents in order, and whether they are the events of a stream. Never raises.

    `body` is content-decoded, and a stream may stop anywhere. What is no JSON is left out. A Gemini stream
    that is one JSON array is taken apart if it is whole; Bedrock's events of an invoked model are unwrapped,
    and Gemini's own documents in those of Code Assist.
    """
    found, streamed = _documents(dialect, headers, body) if body else ([], False)
    if dialect == "gemini.code_assist":
        found = [(name, dig(document, "response") or document) for name, document in found]
    return found, streamed


def _documents(dialect: str, headers: Headers, body: bytes) -> tuple[list[Named], bool]:
    if reader := reader_for(header(headers, "content-type")):
        return _events(reader, body), True
    try:
        document = parse(body)
    except (ValueError, RecursionError):
        reader = reader_of(body)
        return (_events(reader, body), True) if reader else ([], False)
    if isinstance(document, list) and dialect == "gemini.generate":
        return [("", each) for each in document], True
    return [("", document)], False


def _events(reader: Reader, body: bytes) -> list[Named]:
    events = [*reader.feed(body), *reader.close()]
    return [(event.name, document) for event in events if (document := _document(event)) is not None]


def _document(event: Event) -> Json:
    try:
        document = parse(event.data)
        wrapped = dig(document, "bytes")
        if event.name == "chunk" and isinstance(wrapped, str):
            return parse(base64.b64decode(wrapped, validate=True))
    except (ValueError, RecursionError, binascii.Error):
        return None
    return document
