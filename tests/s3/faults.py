"""A proxy in front of a real S3 server, which does to requests what networks and servers do."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CHUNK = 64 * 1024
INTERVAL = 0.05
PIECE, PIECE_SECONDS = 1 << 20, 0.2


class Fault(StrEnum):
    """DELAY and DRIP pass the answer on, late or byte by byte; so does DRIP_HEAD, from its first byte on.
    STALL stops in the middle of the body, and PACED passes it on at 5 MiB a second.
    HANG accepts and reads, and never answers; AGREE answers 200 and an etag, and does nothing."""

    NONE = "none"
    REFUSE = "refuse"
    HANG = "hang"
    DELAY = "delay"
    STATUS = "status"
    AGREE = "agree"
    GARBAGE = "garbage"
    TRUNCATED = "truncated"
    STALL = "stall"
    PACED = "paced"
    DRIP = "drip"
    DRIP_HEAD = "drip-head"


ANSWERS = {
    Fault.AGREE: b'HTTP/1.1 200 OK\r\nETag: "0"\r\nContent-Length: 0\r\n\r\n',
    Fault.GARBAGE: b"\x00\xfe\xffgarbage\n" * 100,
}


@dataclass(frozen=True, slots=True)
class Request:
    """Header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]


class FaultProxy:
    """Runs while the `with` block does, in a thread of its own. With `tls`, a PEM file, it speaks HTTPS."""

    def __init__(self, target: int, tls: Path | None = None) -> None:
        self.requests: list[Request] = []
        self._target = target
        self._tls = tls
        self._fault = Fault.NONE
        self._seconds = 0.0
        self._answer = b""
        self._applies: Callable[[Request], bool] = lambda request: True
        # bound until the end, so that nobody else gets the port while it refuses
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._held.bind(("127.0.0.1", 0))
        self._port = self._held.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def endpoint(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.requests]

    def behave(
        self,
        fault: Fault = Fault.NONE,
        *,
        seconds: float = 0.0,
        status: int = 500,
        code: str = "InternalError",
        applies: Callable[[Request], bool] = lambda request: True,
    ) -> None:
        """From the next request on: `seconds` for DELAY, `status` and `code` for STATUS."""
        self._do(self._behave(fault, seconds, status, code, applies))

    async def _behave(
        self, fault: Fault, seconds: float, status: int, code: str, applies: Callable[[Request], bool]
    ) -> None:
        xml = f'<?xml version="1.0"?>\n<Error><Code>{code}</Code><Message>m</Message></Error>'
        kind = "Content-Type: application/xml"
        head = f"HTTP/1.1 {status} Fault\r\n{kind}\r\nContent-Length: {len(xml)}\r\n\r\n"
        self._fault, self._seconds, self._applies = fault, seconds, applies
        self._answer = (head + xml).encode()
        if fault is Fault.REFUSE:
            await self._close()
        elif self._server is None:
            await self._listen()

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._held.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _listen(self) -> None:
        context = None
        if self._tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._tls)
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self._port, ssl=context, reuse_port=True
        )

    async def _close(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()

    async def _end(self) -> None:
        await self._close()
        # those of connections that have only just come are not known to us yet
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.wait(others)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        upstream: list[asyncio.StreamWriter] = []
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                behind, target = await asyncio.open_connection("127.0.0.1", self._target)
                upstream.append(target)
                while await self._exchange(reader, writer, behind, target):
                    pass
        finally:
            for each in (writer, *upstream):
                each.transport.abort()
            self._writers.discard(writer)

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        behind: asyncio.StreamReader,
        target: asyncio.StreamWriter,
    ) -> bool:
        """One request and its answer. False: the connection is done with."""
        head = await reader.readuntil(b"\r\n\r\n")
        request, length = _request(head)
        self.requests.append(request)
        fault = self._fault if self._applies(request) else Fault.NONE
        if fault is Fault.HANG:
            while await reader.read(CHUNK):
                pass
            return False
        if fault in (Fault.STATUS, Fault.AGREE, Fault.GARBAGE):
            await _copy(reader, None, length)
            writer.write(ANSWERS.get(fault, self._answer))
            await writer.drain()
            return fault is not Fault.GARBAGE
        if fault is Fault.DELAY:
            await asyncio.sleep(self._seconds)
        target.write(head)
        await _copy(reader, target, length)
        return await _answer(fault, request.method, behind, writer)


def _request(head: bytes) -> tuple[Request, int]:
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    method, path, _ = first.split(" ")
    fields = [line.partition(":") for line in lines]
    headers = {name.lower(): value.strip() for name, _, value in fields}
    return Request(method, path, headers), int(headers.get("content-length", 0))


async def _answer(
    fault: Fault, method: str, behind: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    head = await behind.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    status = int(lines[0].split(" ")[1])
    length = next((int(line[15:]) for line in lines if line.startswith("content-length:")), 0)
    if method == "HEAD" or status in (204, 304):
        length = 0
    if any(line.startswith("transfer-encoding:") for line in lines):
        raise NotImplementedError("the S3 server of the tests answers with a length")
    if fault is Fault.DRIP_HEAD:
        await _drip(head + await behind.readexactly(length), writer)
        return True
    writer.write(head)
    if fault is Fault.DRIP:
        await _drip(await behind.readexactly(length), writer)
        return True
    if fault is Fault.PACED:
        for start in range(0, length, PIECE):
            await _copy(behind, writer, min(PIECE, length - start))
            await asyncio.sleep(PIECE_SECONDS)
        return True
    if fault is Fault.STALL:
        await _copy(behind, writer, length // 2)
        await asyncio.Event().wait()
    if fault is Fault.TRUNCATED:
        await _copy(behind, writer, length // 2)
        writer.close()
        await writer.wait_closed()
        return False
    await _copy(behind, writer, length)
    await writer.drain()
    return True


async def _drip(data: bytes, writer: asyncio.StreamWriter) -> None:
    for byte in data:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(INTERVAL)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None, count: int) -> None:
    while count > 0:
        data = await reader.read(min(CHUNK, count))
        if not data:
            raise asyncio.IncompleteReadError(b"", count)
        count -= len(data)
        if writer:
            writer.write(data)
            await writer.drain()
