"""The provider: answers at once, and notes when it wrote each event of a stream."""

import asyncio
import re
import ssl
from pathlib import Path
from time import perf_counter
from typing import Self

from bench import traffic

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_NUMBER = re.compile(rb"bench (\d+)\.")


class Upstream:
    """`events` and `pace` (seconds between events) hold for the streams to come.

    `written[number]` is when each event of that stream was written. A stream's two last events wait for
    `hold`.
    """

    def __init__(self, certificate: Path) -> None:
        self._certificate = certificate
        self._server: asyncio.Server | None = None
        self.streams: set[asyncio.Task[None]] = set()
        self.transports: set[asyncio.Transport] = set()
        self.answers = {
            b"/v1/chat/completions": traffic.chat_answer(),
            b"/v1/messages": traffic.agent_answer(),
        }
        self.written: dict[int, list[float]] = {}
        self.events, self.pace = 100, 0.01
        self.hold = asyncio.Event()
        self.hold.set()
        self.calls = 0
        self.port = 0

    async def __aenter__(self) -> Self:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), "127.0.0.1", 0, ssl=context, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        for transport in self.transports:
            transport.abort()
        for task in self.streams:
            task.cancel()


class _Connection(asyncio.Protocol):
    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._upstream.transports.add(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport:
            self._upstream.transports.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        found = _LENGTH.search(self._buffer, 0, end)
        size = end + 4 + (int(found[1]) if found else 0)
        if len(self._buffer) >= size:
            request = bytes(self._buffer[:size])
            del self._buffer[:size]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        assert self._transport
        self._upstream.calls += 1
        if b'"stream": true' in request:
            task = asyncio.ensure_future(self._stream(request))
            self._upstream.streams.add(task)
            task.add_done_callback(self._upstream.streams.discard)
            return
        body = self._upstream.answers[request.split(b" ", 2)[1].partition(b"?")[0]]
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self._transport.write(head % len(body) + body)

    async def _stream(self, request: bytes) -> None:
        assert self._transport
        number = _NUMBER.search(request)
        assert number
        written = self._upstream.written[int(number[1])] = []
        self._transport.write(STREAM_HEAD)
        for turn in range(self._upstream.events):
            written.append(perf_counter())
            self._chunk(traffic.event(turn % 50))
            await asyncio.sleep(self._upstream.pace)
            if self._transport.is_closing():
                return
        await self._upstream.hold.wait()
        for last in traffic.LAST_EVENTS:
            written.append(perf_counter())
            self._chunk(last)
        self._transport.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        assert self._transport
        self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))
