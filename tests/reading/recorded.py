"""The recorded replies of inference calls, each with the documents in it, read without our own reading."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from corpus import Entry, body_of, entries
from mitmcache.exchange import Headers
from mitmcache.providers.base import Dialect
from mitmcache.providers.catalogue import find
from providers.test_corpus import OWN, READERS, decoded, target


@dataclass(frozen=True)
class Recorded:
    id: str
    dialect: str
    streamed: bool
    headers: Headers
    body: bytes = field(repr=False)
    request_headers: Headers
    request: bytes = field(repr=False)
    documents: list[Any] = field(repr=False)
    provider: str
    host: str
    operation: str
    model: str
    """As asked for."""


@lru_cache
def recorded() -> tuple[Recorded, ...]:
    return tuple(_recorded())


def _recorded() -> Iterator[Recorded]:
    for entry in entries():
        found = find(*target(entry), OWN)
        if not found or entry["response"]["status"] != 200:
            continue
        body = decoded(entry)
        yield Recorded(
            entry["id"],
            found[1].name,
            bool(entry["stream_format"]),
            _lower(entry["response"]["headers"]),
            body,
            _lower(entry["request"]["headers"]),
            body_of(entry["request"]),
            list(_documents(entry["stream_format"], body)),
            found[0].name,
            target(entry)[0],
            found[1].operation,
            _model(entry, found[1], target(entry)[2]),
        )


def _model(entry: Entry, dialect: Dialect, path: str) -> str:
    try:
        asked = json.loads(body_of(entry["request"]))
    except ValueError:
        asked = None
    return dialect.model(path, asked)


def _lower(headers: list[list[str]]) -> Headers:
    return tuple((name.lower(), value) for name, value in headers if name.lower() != "content-encoding")


def _documents(form: str, body: bytes) -> Iterator[Any]:
    texts = [body]
    if form in READERS:
        reader = READERS[form]()
        texts = [event.data for event in [*reader.feed(body), *reader.close()]]
    for text in texts:
        try:
            document = json.loads(text)
        except ValueError:
            continue
        if isinstance(document, dict) and isinstance(document.get("bytes"), str):
            document = json.loads(base64.b64decode(document["bytes"]))
        yield document
