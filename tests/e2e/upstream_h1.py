"""The scripted upstream's HTTP/1.1: h11 reads, but writes are by hand, since some must be wrong."""

import asyncio
import socket
import struct
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import h11

from e2e.answers import Answer, Gate, Seen

READ = 1 << 16


class ClientLeft(Exception):
    """The peer closed its connection while its reply was under way."""


class H1Connection:
    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        respond: Callable[[Seen], Answer],
        *,
        tls: bool,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._respond = respond
        self._tls = tls

    async def run(self) -> None:
        rest = b""
        while (request := await self._request(rest)) is not None:
            seen, rest = request
            more = asyncio.ensure_future(self._reader.read(READ))
            try:
                go_on = await self._reply(seen, more)
            except (ClientLeft, ConnectionError):
                go_on = False
            finally:
                seen.ended.set()
            if not go_on:
                more.cancel()
                return
            got = await more
            if not got:
                return
            rest += got

    async def _request(self, rest: bytes) -> tuple[Seen, bytes] | None:
        """The next request and what came after it; None at the end of the connection."""
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        if rest:
            parser.receive_data(rest)
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                if parser.they_are_waiting_for_100_continue:
                    self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                    parser.send(h11.InformationalResponse(status_code=100, headers=[]))
                parser.receive_data(await self._reader.read(READ))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head:
                return self._seen(head, bytes(body)), parser.trailing_data[0]
            else:
                return None

    def _seen(self, head: h11.Request, body: bytes) -> Seen:
        headers = tuple((name.decode(), value.decode("latin-1")) for name, value in head.headers)
        host = next((value for name, value in headers if name == "host"), "")
        method, target = head.method.decode(), head.target.decode("latin-1")
        return Seen(method, host.lower(), target, headers, body, "1.1", self._tls)

    async def _reply(self, seen: Seen, more: "asyncio.Future[bytes]") -> bool:
        """True when the connection may be used again."""
        answer = self._respond(seen)
        await _step(answer.head_gate, more)
        if answer.drop:
            self._drop(answer.drop == "reset")
            return False
        pieces = answer.pieces()
        framing = answer.frames_as
        self._writer.write(_head(answer, sum(map(len, pieces))))
        await self._writer.drain()
        bodiless = seen.method == "HEAD" or answer.status in (204, 304)
        for piece in [] if bodiless else pieces[: answer.cut_after]:
            await _step(answer.gate, more)
            if piece:
                self._writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece)
                await self._writer.drain()
        if answer.cut_after is not None or framing == "close":
            self._writer.close()
            return False
        if framing == "chunked" and not bodiless:
            await _step(answer.gate if answer.gate and answer.gated_end else None, more)
            self._writer.write(b"0\r\n\r\n")
            await self._writer.drain()
        return True

    def _drop(self, reset: bool) -> None:
        if reset:
            linger = struct.pack("ii", 1, 0)
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()


async def _step(gate: Gate | None, more: "asyncio.Future[bytes]") -> None:
    """Waits at the gate, but not for a client that has left."""
    if gate is None:
        return
    step: asyncio.Future[None] = asyncio.ensure_future(gate.step())
    waits: set[asyncio.Future[Any]] = {step, more}
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    if not step.done() and (more.exception() or not more.result()):
        step.cancel()
        raise ClientLeft
    await step


def _head(answer: Answer, length: int) -> bytes:
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {answer.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    if answer.coding:
        lines.append(f"content-encoding: {answer.coding}")
    match answer.frames_as:
        case "length":
            lines.append(f"content-length: {length}")
        case "chunked":
            lines.append("transfer-encoding: chunked")
        case "close":
            lines.append("connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
