"""Content codings (RFC 9110, 8.4.1) undone as they arrive, never past a limit.

Each coding works in steps: a small slice of input, then at most `STEP` bytes of output, so that what a
decompression bomb can make us hold is the limit and one step. zstandard cannot bound its output: its slice is
so small that the step stays in the low megabytes even for the worst input.
"""

import zlib
from collections.abc import Callable, Generator, Iterable, Iterator

import brotli  # type: ignore[import-untyped]
import zstandard

STEP = 64 << 10
DEFAULT_LIMIT = 64 << 20
_MOST_CODINGS = 4
_ZSTD_WINDOW = 8 << 20  # RFC 9659: what a sender may ask of a recipient over HTTP


class CodingError(ValueError):
    """The coding is unknown, or the bytes are not what it says, or they stop too early."""


class TooLarge(CodingError):
    """Decoded, it would pass the limit."""


class _Stage:
    """One coding. `room` is how many bytes it may still give."""

    slice = 16 << 10
    whole = True  # the input so far may end here

    def __init__(self, room: int) -> None:
        self.room = room

    def through(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            for start in range(0, len(chunk), self.slice):
                for piece in self.undo(chunk[start : start + self.slice]):
                    self.room -= len(piece)
                    if self.room < 0:
                        raise TooLarge("decoded body passes the limit")
                    yield piece

    def undo(self, data: bytes) -> Iterator[bytes]:
        raise NotImplementedError


class _Identity(_Stage):
    slice = 1 << 62

    def undo(self, data: bytes) -> Iterator[bytes]:
        yield data


class _Gzip(_Stage):
    """Members one after the other; zero bytes after the last are padding."""

    _member: "zlib._Decompress | None" = None
    _begun = False

    def undo(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._member is None:
                data = data.lstrip(b"\0") if self._begun else data
                if not data:
                    return
                self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)
                self._begun, self.whole = True, False
            data = yield from _inflate(self._member, data)
            if not self._member.eof:
                return
            self._member, self.whole = None, True


class _Deflate(_Stage):
    """As the standard has it, in a zlib wrapper, or bare as some servers send it."""

    _body: "zlib._Decompress | None" = None

    def undo(self, data: bytes) -> Iterator[bytes]:
        if self._body is None:
            # 8 in the low half of a zlib header is its method; a bare stream would begin a stored block
            # with padding that no encoder writes
            wrapped = data[0] & 0x0F == 8
            self._body = zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
        rest = yield from _inflate(self._body, data)
        self.whole = self._body.eof
        if rest:
            raise CodingError("bytes after the end of a deflate body")


def _inflate(member: "zlib._Decompress", data: bytes) -> Generator[bytes, None, bytes]:
    """Gives steps of output until the input is used up; returns what follows the member's end."""
    while True:
        piece = member.decompress(data, STEP)
        if piece:
            yield piece
        if member.eof:
            return member.unused_data
        data = member.unconsumed_tail
        if not data and len(piece) < STEP:
            return b""


class _Zstd(_Stage):
    """Frames one after the other. A block of 4 bytes can give 128 KiB: a slice gives 8 MiB at most."""

    slice = 256
    _frame: "zstandard.ZstdDecompressionObj | None" = None

    def __init__(self, room: int) -> None:
        super().__init__(room)
        self._context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)

    def undo(self, data: bytes) -> Iterator[bytes]:
        while data:
            self._frame = self._frame or self._context.decompressobj()
            yield self._frame.decompress(data)
            self.whole = self._frame.eof
            if not self.whole:
                return
            data = self._frame.unused_data
            self._frame = None


class _Brotli(_Stage):
    def __init__(self, room: int) -> None:
        super().__init__(room)
        self._body = brotli.Decompressor()

    def undo(self, data: bytes) -> Iterator[bytes]:
        yield (piece := self._body.process(data, output_buffer_limit=STEP))
        # it may hold back output even where it would accept more input
        while piece or not self._body.can_accept_more_data():
            yield (piece := self._body.process(b"", output_buffer_limit=STEP))
        self.whole = self._body.is_finished()


_STAGES: dict[str, Callable[[int], _Stage]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "zstd": _Zstd,
    "br": _Brotli,
}


def _stages(encoding: str, limit: int) -> list[_Stage]:
    """In the order to undo them: the last named was applied last."""
    names = [name for part in encoding.split(",") if (name := part.strip().lower()) not in ("", "identity")]
    if len(names) > _MOST_CODINGS:
        raise CodingError(f"{len(names)} content codings")
    inner = 2 * limit + STEP  # an inner coding may have made a small body larger
    stages = []
    for index, name in enumerate(names):
        if name not in _STAGES:
            raise CodingError(f"unknown content coding {name[:40]!r}")
        stages.append(_STAGES[name](inner if index else limit))
    return stages[::-1] or [_Identity(limit)]


class Decoder:
    """Undoes a Content-Encoding value ("" is identity) over one body, `limit` bytes of output in all.

    Raises CodingError for a coding it does not know, and from then on for bytes that are not so coded.
    """

    def __init__(self, encoding: str, *, limit: int = DEFAULT_LIMIT) -> None:
        self._stages = _stages(encoding, limit)
        self._failure: CodingError | None = None

    def feed(self, data: bytes) -> bytes:
        """Everything that the input so far decodes to and was not given yet."""
        if self._failure:
            raise self._failure
        pieces: Iterable[bytes] = (data,)
        for stage in self._stages:
            pieces = stage.through(pieces)
        try:
            return b"".join(pieces)
        except CodingError as error:
            self._failure = error
            raise
        except (zlib.error, zstandard.ZstdError, brotli.error) as error:
            self._failure = CodingError(f"corrupt body: {error}")
            raise self._failure from error

    def close(self) -> bytes:
        """The body is over. Raises CodingError if it stops inside a coding; a body of no bytes does not."""
        if self._failure:
            raise self._failure
        if not all(stage.whole for stage in self._stages):
            raise CodingError("body stops before its coding ends")
        return b""


def decode(data: bytes, encoding: str, limit: int, *, partial: bool = False) -> bytes:
    """The body without its content codings. `partial`: one that was cut gives what it holds."""
    decoder = Decoder(encoding, limit=limit)
    body = decoder.feed(data)
    return body if partial else body + decoder.close()
