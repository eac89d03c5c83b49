"""What the scripted upstream is told to answer, and what it saw."""

import asyncio
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

import brotli  # type: ignore[import-untyped]
import zstandard

type Framing = Literal["length", "chunked", "close"]
type Coding = Literal["", "gzip", "deflate", "br", "zstd"]
type Reply = Answer | Callable[[Seen], Answer]


class Gate:
    """Lets the upstream go on one step for each `open()` of the test, from whatever thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._permits = 0
        self._free = False
        self._waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()

    def open(self, steps: int = 1) -> None:
        with self._lock:
            self._permits += steps
            self._wake()

    def open_for_good(self) -> None:
        with self._lock:
            self._free = True
            self._wake()

    def _wake(self) -> None:
        while self._waiting and (self._free or self._permits):
            loop, future = self._waiting.popleft()
            if not future.done():  # else its client has left
                self._permits -= not self._free
                loop.call_soon_threadsafe(_set, future)

    async def step(self) -> None:
        with self._lock:
            if self._free:
                return
            if self._permits:
                self._permits -= 1
                return
            loop = asyncio.get_running_loop()
            future = loop.create_future()
            self._waiting.append((loop, future))
        await future


def _set(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply: `body` in one piece, or `events`, each written by itself.

    `head_gate` is stepped once before the head, `gate` once before each event. After `cut_after` events
    the connection ends as `framing` lets it: in the middle of a chunked or sized body, or as a seemingly
    clean close. Over HTTP/2 that is a reset of the stream, or its clean end for "close".
    `drop` says how to fail without any reply: by closing, or by a TCP reset.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    body: bytes = b""
    events: tuple[bytes, ...] | None = None
    framing: Framing | None = None
    """By default "chunked" for events and "length" for a body."""
    coding: Coding = ""
    gate: Gate | None = None
    gated_end: bool = False
    """The end of a chunked or HTTP/2 body takes one more step of `gate`."""
    head_gate: Gate | None = None
    cut_after: int | None = None
    drop: Literal["", "close", "reset"] = ""

    @property
    def frames_as(self) -> Framing:
        return self.framing or ("length" if self.events is None else "chunked")

    def pieces(self) -> list[bytes]:
        """The content-encoded body as it is written: what ends the coding is part of the last piece."""
        encoder = _encoder(self.coding)
        plain = [self.body] if self.events is None else list(self.events)
        pieces = [encoder.piece(part) for part in plain]
        end = encoder.end()
        return [*pieces[:-1], pieces[-1] + end] if pieces else [end]


@dataclass(slots=True)
class Seen:
    """A request as it reached the upstream. `ended` is set when its reply was sent, cut or given up."""

    method: str
    host: str
    target: str
    headers: tuple[tuple[str, str], ...]
    """Lower-case names, in order; of HTTP/2 without the pseudo headers."""
    body: bytes
    version: Literal["1.1", "2"]
    tls: bool
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class Encoder(Protocol):
    def piece(self, data: bytes) -> bytes: ...
    def end(self) -> bytes: ...


class _Identity:
    def piece(self, data: bytes) -> bytes:
        return data

    def end(self) -> bytes:
        return b""


class _Zlib:
    def __init__(self, wbits: int) -> None:
        self._object = zlib.compressobj(wbits=wbits)

    def piece(self, data: bytes) -> bytes:
        return self._object.compress(data) + self._object.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._object.flush()


class _Brotli:
    def __init__(self) -> None:
        self._object = brotli.Compressor()

    def piece(self, data: bytes) -> bytes:
        return bytes(self._object.process(data) + self._object.flush())

    def end(self) -> bytes:
        return bytes(self._object.finish())


class _Zstd:
    def __init__(self) -> None:
        self._object = zstandard.ZstdCompressor().compressobj()

    def piece(self, data: bytes) -> bytes:
        return self._object.compress(data) + self._object.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def end(self) -> bytes:
        return self._object.flush()


def _encoder(coding: Coding) -> Encoder:
    match coding:
        case "gzip":
            return _Zlib(31)
        case "deflate":
            return _Zlib(15)
        case "br":
            return _Brotli()
        case "zstd":
            return _Zstd()
        case _:
            return _Identity()


def successive(*answers: Answer) -> Callable[[Seen], Answer]:
    """Gives one after the other, and the last one from then on."""
    left: Iterator[Answer] = iter(answers)
    return lambda seen: next(left, answers[-1])
