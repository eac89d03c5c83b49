"""Calls, dialects and records made up for the tests of the pure core: nothing of a real provider."""

import re
from dataclasses import replace
from typing import Any

from mitmcache.cache import body as bodies
from mitmcache.cache import key as keys
from mitmcache.cache.record import Record
from mitmcache.exchange import Call, Headers
from mitmcache.providers.base import Dialect, Json, Listener, Provider
from mitmcache.reasons import Reason
from mitmcache.wire.events import Event

NOW = 1_800_000_000.0
KEY = "0123456789abcdef" * 4


def prune(body: Json) -> None:
    """Takes out what is named `drop_me`."""
    body.pop("drop_me", None)


def refuse(body: Json) -> Reason | None:
    return Reason.STORE if isinstance(body, dict) and body.get("store") is True else None


class EndMark(Listener):
    """Ends at `end`, faults at `fault`, and is whole at a clean end after `maybe`."""

    def __init__(self) -> None:
        super().__init__()
        self._maybe = False

    def hear(self, event: Event) -> None:
        self.ended = self.ended or event.data == b"end"
        self._maybe = self._maybe or event.data == b"maybe"
        if event.data == b"fault" or event.error:
            self.fault = Reason.ERROR

    def whole(self) -> bool:
        return self._maybe


DIALECT = Dialect(
    "made.chat",
    "chat",
    volatile=("user", "options.trace", "items[].mark", "items[].parts[].mark"),
    prune=prune,
    key_headers=("made-version", "made-beta", "x-made-*"),
    set_headers=("made-beta",),
    volatile_query=("beta",),
    refuse=refuse,
    listen=lambda provider: EndMark(),
)
PROVIDER = Provider(
    "made",
    (re.compile("api.made.example"),),
    (("POST", re.compile("/v1/chat"), DIALECT),),
    key_headers=("made-project",),
)
JSON: Headers = (("content-type", "application/json"),)
SECRET: Headers = (("authorization", "Bearer one"),)
CALL = Call(
    PROVIDER,
    DIALECT,
    "POST",
    "https",
    "api.made.example",
    "/v1/chat",
    "",
    (*JSON, *SECRET),
    b'{"model":"m-1"}',
)


def call(body: bytes = CALL.body, **changes: Any) -> Call:
    """CALL with another body, or anything else of it changed."""
    return replace(CALL, body=body, **changes)


def read(made: Call) -> bodies.Body:
    content_type = next((value for name, value in made.headers if name == "content-type"), "")
    return bodies.read(made.body, content_type, made.dialect)


def key_of(made: Call, scope: str = "scope", custom: str | None = None) -> str:
    return keys.digest(keys.ingredients(made, read(made), scope, custom))


RECORD = Record(
    key=KEY,
    provider="made",
    dialect="made.chat",
    model="m-1",
    created=NOW,
    expires=NOW + 60,
    status=200,
    headers=JSON,
    body=b'{"answer":"yes"}',
)


def multipart(boundary: str, *parts: tuple[str, bytes]) -> bytes:
    """Parts are (header lines joined by CRLF, content)."""
    pieces = [
        f"--{boundary}\r\n{head}\r\n\r\n".encode("utf-8", "surrogateescape") + data for head, data in parts
    ]
    return b"".join(piece + b"\r\n" for piece in pieces) + f"--{boundary}--\r\n".encode()


def field(name: str) -> str:
    return f'Content-Disposition: form-data; name="{name}"'
