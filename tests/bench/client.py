"""A client that costs little beside what it measures: HTTP/1.1 over TLS, one request at a time."""

import asyncio
import re
import ssl
from time import perf_counter
from typing import Self

DEADLINE = 20.0
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


class Connection(asyncio.Protocol):
    """Kept alive from `open` to `close`. `arrived` holds when each event of the last stream came."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiting: asyncio.Future[bytes] | None = None
        self._reaches: tuple[int, asyncio.Future[None]] | None = None
        self._streaming = False
        self._tail = b""
        self.arrived: list[float] = []
        self.head = b""

    @classmethod
    async def open(
        cls, port: int, host: str, trusted: ssl.SSLContext | None, *, proxied: bool = True
    ) -> Self:
        """To `host` through the proxy at `port`, or straight to what listens there. None: without TLS."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(DEADLINE):
            if proxied:
                self = await cls._tunnelled(port, host)
                assert self._transport and trusted
                self._transport = await loop.start_tls(self._transport, self, trusted, server_hostname=host)
            else:
                _, self = await loop.create_connection(
                    cls, "127.0.0.1", port, ssl=trusted, server_hostname=host if trusted else None
                )
        return self

    @classmethod
    async def tunnel(cls, port: int, host: str) -> asyncio.Transport:
        """To `host`, behind the proxy's answer to CONNECT and before TLS."""
        async with asyncio.timeout(DEADLINE):
            transport = (await cls._tunnelled(port, host))._transport
        assert transport
        return transport

    @classmethod
    async def _tunnelled(cls, port: int, host: str) -> Self:
        _, self = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        connect = f"CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n\r\n"
        head = await self._exchange(connect.encode())
        if b" 200 " not in head:
            raise ConnectionError(f"CONNECT was answered with {head!r}")
        return self

    def close(self) -> None:
        assert self._transport
        self._transport.abort()

    async def ask(self, request: bytes) -> float:
        """Seconds until the whole reply was there. Its head is in `head`."""
        started = perf_counter()
        self.head = await self._exchange(request)
        return perf_counter() - started

    def start_stream(self, request: bytes) -> float:
        """Sends; gives when that was. Wait for the end, or for some events, with `stream_end`, `reached`."""
        assert self._transport
        self._buffer.clear()
        self.arrived, self._tail, self.head = [], b"", b""
        self._streaming = True
        self._waiting = asyncio.get_running_loop().create_future()
        started = perf_counter()
        self._transport.write(request)
        return started

    async def stream_end(self) -> None:
        assert self._waiting
        await asyncio.wait_for(self._waiting, DEADLINE)

    async def reached(self, events: int) -> None:
        """Waits until so many events of the stream have arrived."""
        if len(self.arrived) < events:
            future = asyncio.get_running_loop().create_future()
            self._reaches = events, future
            await asyncio.wait_for(future, DEADLINE)

    async def _exchange(self, data: bytes) -> bytes:
        assert self._transport
        self._buffer.clear()
        self._streaming = False
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return await self._waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        lost = ConnectionError(f"the connection ended in the middle of a reply: {error}")
        for future in (self._waiting, self._reaches and self._reaches[1]):
            if future and not future.done():
                future.set_exception(lost)

    def data_received(self, data: bytes) -> None:
        if self._streaming:
            self._event_data(data)
            return
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        found = _LENGTH.search(self._buffer, 0, end)
        size = end + 4 + (int(found[1]) if found else 0)
        if len(self._buffer) >= size and self._waiting and not self._waiting.done():
            self._waiting.set_result(bytes(self._buffer[:end]))

    def _event_data(self, data: bytes) -> None:
        now = perf_counter()
        if not self.head.endswith(b"\r\n\r\n"):
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return
            self.head, data = self.head[: end + 4], self.head[end + 4 :]
        # an event ends with two LFs, which no chunk's framing has; they may come in two reads
        events = (self._tail[-1:] + data).count(b"\n\n")
        self.arrived.extend([now] * events)
        self._tail = (self._tail + data)[-5:]
        if self._reaches and len(self.arrived) >= self._reaches[0]:
            self._reaches[1].set_result(None)
            self._reaches = None
        if self._tail == b"0\r\n\r\n" and self._waiting:
            self._waiting.set_result(self.head)
