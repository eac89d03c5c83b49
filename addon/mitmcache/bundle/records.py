"""Encoded records as files: read, checked and copied piece by piece, of whatever size they are."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from mitmcache.cache import record
from mitmcache.cache.record import Corrupt, Head
from mitmcache.large.records import read_head
from mitmcache.store.base import Blob, Large, Source

PIECE = 256 * 1024


def opened_blob(blob: Blob) -> BinaryIO:
    """To be closed, as a Large is."""
    return blob.file if isinstance(blob, Large) else io.BytesIO(blob)


def body(source: Source, head: Head, stored: BinaryIO | None = None) -> Iterator[bytes]:
    """The decoded body, in pieces, of a source that `read_head` has read; copies what is read to `stored`.

    At the end raises Corrupt unless every byte was as written.
    """
    heard = _Heard(source, stored)
    left = head.size
    reader: Source = heard
    if head.coding == "zstd":
        reader = zstandard.ZstdDecompressor().stream_reader(cast(BinaryIO, heard))
    try:
        while piece := reader.read(PIECE):
            left -= len(piece)
            if left < 0:
                break
            yield piece
    except zstandard.ZstdError as error:
        raise Corrupt("the body cannot be decompressed") from error
    while left >= 0 and heard.read(PIECE):  # behind the end of what is compressed
        pass
    if left:
        raise Corrupt("the body has another size")
    if heard.digest.hexdigest()[: len(head.digest)] != head.digest:
        raise Corrupt("the body's digest does not match")


def copy(
    source: Source,
    key: str,
    target: BinaryIO,
    generation: int,
    expires: float | None,
    created: float | None = None,
) -> Head:
    """Copies the record of `key` with another generation and, unless None, another `expires` and `created`.

    Returns the new head. Raises Corrupt unless the record is whole, and ForeignVersion.
    """
    old = read_head(source)
    if old.meta.key != key:
        raise Corrupt("the record of another key")
    meta = replace(
        old.meta,
        generation=generation,
        expires=old.meta.expires if expires is None else expires,
        created=old.meta.created if created is None else created,
    )
    start = record.head(meta, old.coding, old.size, old.digest)
    target.write(start)
    for _ in body(source, old, target):
        pass
    return replace(old, meta=meta, length=len(start))


def write_file(path: Path) -> BinaryIO:
    """A new file for its owner alone."""
    file = path.open("xb")
    path.chmod(0o600)
    return file


class _Heard(io.RawIOBase):
    """Passes on what is read, digests it, and copies it."""

    def __init__(self, source: Source, copy: BinaryIO | None) -> None:
        self._source = source
        self._copy = copy
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, amount: int = -1, /) -> bytes:
        data = self._source.read(PIECE if amount < 0 else amount)
        self.digest.update(data)
        if self._copy:
            self._copy.write(data)
        return data
