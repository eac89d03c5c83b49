"""The scripted upstream's HTTP/2, one task per stream."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError

from e2e.answers import Answer, Seen

READ = 1 << 16


class H2Server:
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, respond: Callable[[Seen], Answer]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._respond = respond
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._requests: dict[int, tuple[list[tuple[str, str]], bytearray]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._moved = asyncio.Event()
        """Set, and replaced, whenever the peer has sent something: a window may have opened."""

    async def run(self) -> None:
        self._h2.initiate_connection()
        self._flush()
        try:
            while data := await self._reader.read(READ):
                events = self._h2.receive_data(data)
                if any(isinstance(event, ConnectionTerminated) for event in events):
                    return
                for event in events:
                    self._hear(event)
                self._flush()
                self._moved.set()
                self._moved = asyncio.Event()
        except (ProtocolError, ConnectionError):
            return
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _hear(self, event: Event) -> None:
        match event:
            case RequestReceived(stream_id=int(stream)):
                pairs = [(str(name), str(value)) for name, value in event.headers or ()]
                self._requests[stream] = (pairs, bytearray())
            case DataReceived(stream_id=int(stream)):
                self._requests[stream][1].extend(event.data or b"")
                self._h2.acknowledge_received_data(event.flow_controlled_length or 0, stream)
            case StreamEnded(stream_id=int(stream)):
                headers, body = self._requests.pop(stream)
                task = asyncio.create_task(self._stream(stream, _seen(headers, bytes(body))))
                self._tasks[stream] = task
                task.add_done_callback(lambda _: self._tasks.pop(stream, None))
            case StreamReset(stream_id=int(stream)):
                self._requests.pop(stream, None)
                if stream in self._tasks:
                    self._tasks[stream].cancel()
            case _:
                pass

    def _flush(self) -> None:
        self._writer.write(self._h2.data_to_send())

    async def _stream(self, stream: int, seen: Seen) -> None:
        try:
            # a stream that the peer has reset since
            with suppress(ProtocolError, ConnectionError):
                await self._reply(stream, self._respond(seen))
        finally:
            seen.ended.set()

    async def _reply(self, stream: int, answer: Answer) -> None:
        if answer.head_gate:
            await answer.head_gate.step()
        if answer.drop:
            self._reset(stream)
            return
        pieces = answer.pieces()
        headers = [(":status", str(answer.status)), *answer.headers]
        if answer.coding:
            headers.append(("content-encoding", answer.coding))
        if answer.frames_as == "length":
            headers.append(("content-length", str(sum(map(len, pieces)))))
        self._h2.send_headers(stream, headers)
        self._flush()
        for piece in pieces[: answer.cut_after]:
            if answer.gate:
                await answer.gate.step()
            await self._data(stream, piece)
        if answer.cut_after is not None and answer.frames_as != "close":
            self._reset(stream)
            return
        if answer.gate and answer.gated_end:
            await answer.gate.step()
        self._h2.end_stream(stream)
        self._flush()

    async def _data(self, stream: int, data: bytes) -> None:
        while data:
            room = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)
            if room <= 0:
                await self._moved.wait()
                continue
            self._h2.send_data(stream, data[:room])
            data = data[room:]
            self._flush()
            await self._writer.drain()

    def _reset(self, stream: int) -> None:
        self._h2.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
        self._flush()


def _seen(headers: list[tuple[str, str]], body: bytes) -> Seen:
    pseudo = {name: value for name, value in headers if name.startswith(":")}
    rest = tuple((name, value) for name, value in headers if not name.startswith(":"))
    host = pseudo.get(":authority") or next((value for name, value in rest if name == "host"), "")
    return Seen(pseudo[":method"], host.lower(), pseudo[":path"], rest, body, "2", True)
