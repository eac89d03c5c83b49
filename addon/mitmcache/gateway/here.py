"""Has the app answer without a connection to it, for where none can be made: as a whole, or not at all."""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Scope

MOST = 64 << 20
"""Bytes of an answer."""

type Fields = list[tuple[bytes, bytes]]


class Answered(NamedTuple):
    status: int
    headers: Fields
    body: bytes


class Endless(Exception):
    """The answer is too large, or has no end within the deadline and is no stream of events."""


async def ask(
    app: ASGIApp,
    method: str,
    target: str,
    headers: Iterable[tuple[bytes, bytes]],
    body: bytes,
    deadline: float,
) -> Answered:
    """`target` is path and query. A stream of events ends with the deadline: who listens asks again. Raises
    Endless, and what the app raises."""
    path, _, query = target.partition("?")
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in headers],
        "client": None,
        "server": None,
    }
    asked = [{"type": "http.request", "body": body, "more_body": False}]
    status, fields, parts, size = 0, [], [], 0

    async def receive() -> Message:
        if not asked:
            await asyncio.Event().wait()  # who asks does not leave
        return asked.pop()

    async def send(message: Message) -> None:
        nonlocal status, fields, size
        if message["type"] == "http.response.start":
            status, fields = message["status"], list(message.get("headers", ()))
            return
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MOST:
            raise Endless

    try:
        async with asyncio.timeout(deadline):
            await app(scope, receive, send)
    except TimeoutError:
        if not dict(fields).get(b"content-type", b"").startswith(b"text/event-stream"):
            raise Endless from None
    return Answered(status, fields, b"".join(parts))
