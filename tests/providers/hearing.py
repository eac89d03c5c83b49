"""What the tests of the dialects share: playing events to a listener."""

import base64
import json
from typing import Any

from mitmcache.providers.base import Dialect, Provider
from mitmcache.reasons import Reason
from mitmcache.wire.events import Event

type Heard = dict[str, Any] | list[Any] | bytes | str | Event | tuple[str, Any]
"""A JSON document, raw data, an event, or an event's name and its JSON document."""

STRICT = Provider("strict", (), ())
LENIENT = Provider("lenient", (), (), done_optional=True)
DONE = b"[DONE]"


def event(heard: Heard) -> Event:
    match heard:
        case Event():
            return heard
        case bytes():
            return Event("", heard)
        case (name, document):
            return Event(name, json.dumps(document).encode())
        case _:
            return Event("", json.dumps(heard).encode())


def play(
    dialect: Dialect, *events: Heard, clean_end: bool = True, provider: Provider = STRICT
) -> Reason | None:
    """The verdict on a stream of these events."""
    assert dialect.listen is not None
    listener = dialect.listen(provider)
    for heard in events:
        listener.hear(event(heard))
    return listener.verdict(clean_end=clean_end)


def chunk(document: Any) -> tuple[str, Any]:
    """A frame of Bedrock's InvokeModel stream."""
    return "chunk", {"bytes": base64.b64encode(json.dumps(document).encode()).decode(), "p": "abc"}
