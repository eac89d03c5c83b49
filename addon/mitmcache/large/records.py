"""A stored record as its blob allows: as a whole, or one to be read piece by piece."""

import hashlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import zstandard

from mitmcache.cache import record
from mitmcache.cache.record import Coding, Corrupt, Head, Meta, Record
from mitmcache.store.base import LARGE, Blob, Source

PIECE = 256 << 10
_WINDOW = 8 << 20  # more than is written here, and what a body in a bucket may ask of our memory


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeRecord(Meta):
    """A record whose body is too large to hold: `size` bytes, decoded. Whoever gets it closes it.

    What is stored was verified, and begins `start` bytes into the file.
    """

    size: int
    coding: Coding
    start: int
    file: BinaryIO = field(repr=False)

    def close(self) -> None:
        self.file.close()


def read(blob: Blob, key: str) -> Record | LargeRecord:
    """Blocks, for a file. Raises Corrupt, unless every byte is as written and the record is that of `key`,
    and ForeignVersion; the blob is closed then."""
    if isinstance(blob, bytes):
        head = record.read_head(blob)
        if head.size <= LARGE:
            return record.decode_body(head, blob, key)
        return _verified(io.BytesIO(blob), key)
    try:
        return _verified(blob.file, key)
    except BaseException:
        blob.file.close()
        raise


def read_head(source: Source) -> Head:
    """Leaves the source at the first byte of the body. Raises Corrupt and ForeignVersion."""
    prefix = _exactly(source, record.PREFIX)
    return record.read_head(prefix + _exactly(source, record.head_length(prefix) - len(prefix)))


def whole(found: LargeRecord) -> Record:
    """With its body in memory, and closed. Blocks. Raises OSError and Corrupt."""
    try:
        return Record(**found.facts(), body=b"".join(body(found)))
    finally:
        found.close()


def body(found: LargeRecord, *, gzipped: bool = False) -> Iterator[bytes]:
    """The decoded body, piece by piece; it may be asked for once. Blocks. Raises OSError and Corrupt."""
    found.file.seek(found.start)
    plain = _unpacked(found) if found.coding == "zstd" else _read(found.file)
    return _gzipped(plain) if gzipped else plain


def _verified(file: BinaryIO, key: str) -> LargeRecord:
    try:
        head = read_head(file)
        if head.meta.key != key:
            raise Corrupt("the record of another key")
        digest, length = hashlib.sha256(), 0
        for piece in _read(file):
            digest.update(piece)
            length += len(piece)
    except OSError as error:
        raise Corrupt("the record cannot be read") from error
    if head.digest != digest.hexdigest()[:32]:
        raise Corrupt("the body's digest does not match")
    if head.coding == "raw" and length != head.size:
        raise Corrupt("the body has another size")
    return LargeRecord(**head.meta.facts(), size=head.size, coding=head.coding, start=head.length, file=file)


def _exactly(source: Source, size: int) -> bytes:
    """A pipe may give less than was asked for."""
    data = b""
    while len(data) < size:
        more = source.read(size - len(data))
        if not more:
            raise Corrupt("too short")
        data += more
    return data


def _read(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece


def _unpacked(found: LargeRecord) -> Iterator[bytes]:
    left = found.size
    try:
        unpacker = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
        with unpacker.stream_reader(found.file, closefd=False) as reader:
            while piece := reader.read(PIECE):
                left -= len(piece)
                if left < 0:
                    break
                yield piece
    except zstandard.ZstdError as error:
        raise Corrupt("the body cannot be decompressed") from error
    if left:
        raise Corrupt("the body has another size")


def _gzipped(plain: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(1, wbits=31)
    for piece in plain:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()
