"""Stands for api.openai.com: answers a chat completion as a stream, at a model's pace."""

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

THINKING = 0.4
"""Seconds before the first token."""
PACE = (0.03, 0.04, 0.05)
"""Seconds between tokens, in turn."""
ANSWER = (
    "This is answer number {number} of this server. A model writes it token by token, and each token takes "
    "its time and has its price. Whoever asks the same thing again should get the same words: at once, and "
    "for nothing."
)
IDLE = 30.0


class Upstream:
    """Listens on a free port of 127.0.0.1 inside `async with`. `calls` counts what was answered.

    Each answer has a number and an id of its own, so that two calls cannot look like one.
    """

    def __init__(self, certificate: Path) -> None:
        self._certificate = certificate
        self._server: asyncio.Server | None = None
        self.calls = 0
        self.port = 0

    async def __aenter__(self) -> Self:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                async with asyncio.timeout(IDLE):
                    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                    body = await reader.readexactly(_length(head))
                await self._answer(writer, head.partition("\r\n")[0], body)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, writer: asyncio.StreamWriter, request: str, body: bytes) -> None:
        if not request.startswith("POST /v1/chat/completions "):
            writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
            return
        self.calls += 1
        await asyncio.sleep(THINKING)
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        for turn, event in enumerate(_events(self.calls, json.loads(body)["model"])):
            data = b"data: " + event + b"\n\n"
            writer.write(b"%x\r\n%b\r\n" % (len(data), data))
            await writer.drain()
            await asyncio.sleep(PACE[turn % len(PACE)])
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def _length(head: str) -> int:
    names = (line.partition(":") for line in head.split("\r\n"))
    return next((int(value) for name, _, value in names if name.lower() == "content-length"), 0)


def _events(number: int, model: str) -> Iterator[bytes]:
    common = {
        "id": f"chatcmpl-{number}-{time.time_ns()}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": model,
    }

    def chunk(delta: dict[str, str], reason: str | None = None) -> bytes:
        choices: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": reason}]
        return json.dumps({**common, "choices": choices}).encode()

    yield chunk({"role": "assistant", "content": ""})
    for place, word in enumerate(ANSWER.format(number=number).split()):
        yield chunk({"content": f" {word}" if place else word})
    yield chunk({}, "stop")
    yield b"[DONE]"
