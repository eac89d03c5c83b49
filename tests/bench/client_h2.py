"""The same as client.py over HTTP/2: one connection, and lanes in it that each carry one call at a time."""

import asyncio
import ssl
from collections.abc import Sequence
from functools import lru_cache
from time import perf_counter
from typing import Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset

from bench.client import DEADLINE, Connection

_HOP_BY_HOP = ("host", "connection", "transfer-encoding")


@lru_cache(4)
def _head(head: bytes) -> tuple[tuple[str, str], ...]:
    """An HTTP/1.1 request's head as HTTP/2 has it."""
    first, *lines = head.decode().split("\r\n")
    method, path, _ = first.split(" ")
    fields = [tuple(line.split(": ", 1)) for line in lines]
    [host] = [value for name, value in fields if name == "host"]
    pseudo = ((":method", method), (":scheme", "https"), (":authority", host), (":path", path))
    return (*pseudo, *((name, value) for name, value in fields if name not in _HOP_BY_HOP))


class Lane:
    """As client.Connection. `head` is made up of the reply's status and header fields."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._ended: asyncio.Future[None] | None = None
        self._tail = b""
        self.arrived: list[float] = []
        self.head = b""

    async def ask(self, request: bytes) -> float:
        started = self.start_stream(request)
        await self.stream_end()
        return perf_counter() - started

    def start_stream(self, request: bytes) -> float:
        self.arrived, self._tail, self.head = [], b"", b""
        self._ended = asyncio.get_running_loop().create_future()
        started = perf_counter()
        self._session.send(request, self)
        return started

    async def stream_end(self) -> None:
        assert self._ended
        await asyncio.wait_for(self._ended, DEADLINE)

    def close(self) -> None:
        self._session.close()

    def heard(self, event: Event | ConnectionError) -> None:
        match event:
            case ResponseReceived(headers=headers):
                lines = [b"%b: %b" % (bytes(name), bytes(value)) for name, value in headers or ()]
                self.head = b"\r\n".join([b"h2 %b " % lines[0].rpartition(b" ")[2], *lines])
            case DataReceived(data=data):
                # an event ends with two LFs; they may come in two frames
                self.arrived.extend([perf_counter()] * (self._tail + (data or b"")).count(b"\n\n"))
                self._tail = (data or b"")[-1:]
            case StreamEnded() if self._ended and not self._ended.done():
                self._ended.set_result(None)
            case StreamReset() | ConnectionError() if self._ended and not self._ended.done():
                self._ended.set_exception(ConnectionError(f"the stream ended early: {event}"))


class Session(asyncio.Protocol):
    def __init__(self) -> None:
        self._http = H2Connection(H2Configuration(header_encoding=None))
        self._http.initiate_connection()
        self._http.increment_flow_control_window(1 << 30)
        self._transport: asyncio.Transport | None = None
        self._lanes: dict[int, Lane] = {}

    @classmethod
    async def open(cls, port: int, host: str, trusted: ssl.SSLContext) -> Self:
        """To `host` through the proxy at `port`. `trusted` offers h2."""
        tunnel = await Connection.tunnel(port, host)
        self = cls()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(DEADLINE):
            transport = await loop.start_tls(tunnel, self, trusted, server_hostname=host)
        assert transport
        if transport.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
            raise ConnectionError("the proxy does not speak HTTP/2")
        self._transport = transport
        self._flush()
        return self

    def send(self, request: bytes, lane: Lane) -> None:
        head, _, body = request.partition(b"\r\n\r\n")
        stream = self._http.get_next_available_stream_id()
        self._lanes[stream] = lane
        self._http.send_headers(stream, _head(head))
        for start in range(0, len(body), 16_384):
            self._http.send_data(stream, body[start : start + 16_384])
        self._http.end_stream(stream)
        self._flush()

    def close(self) -> None:
        if self._transport:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        for event in self._http.receive_data(data):
            if isinstance(event, DataReceived):
                self._http.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
            lane = self._lanes.get(getattr(event, "stream_id", None) or 0)
            if lane:
                lane.heard(event)
            if isinstance(event, StreamEnded | StreamReset):
                self._lanes.pop(event.stream_id or 0, None)
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        for lane in self._lanes.values():
            lane.heard(ConnectionError(f"the connection ended: {error}"))

    def _flush(self) -> None:
        # the server's first words may be there before the transport is
        if self._transport and (waiting := self._http.data_to_send()):
            self._transport.write(waiting)


async def lanes(port: int, host: str, trusted: ssl.SSLContext, number: int) -> Sequence[Lane]:
    session = await Session.open(port, host, trusted)
    return [Lane(session) for _ in range(number)]
