"""A bundle of records: one uncompressed tar, the same bytes for the same records.

    v1/entries/<provider>/<model>/<key>     a record, as the bucket has it, in order of the keys
    test.json                               what a test's recording has beside the records
    manifest.json                           {"bundle": 1, "records": N, "bytes": of them all}

The manifest is last, so that a bundle can be written to a pipe, and one that was cut short is known. Read
here is only what is written here: a plain POSIX tar. No member's name is ever used as a path.
"""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from mitmcache.store.base import Source
from mitmcache.store.names import Names

VERSION = 1
MANIFEST = "manifest.json"
NOTES = "test.json"
MAX_RECORD = 4 << 30
"""Bytes of one record."""
_MAX_MANIFEST = 64 * 1024
_MAX_NOTES = 64 << 20
_BLOCK = tarfile.BLOCKSIZE
_CHUNK = 1 << 20
_NAMES = Names()
# What other tar programs add: long names and times, and folders.
_EXTRA = {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.DIRTYPE}


class BadBundle(ValueError):
    """No bundle, or one that is damaged or cut short from here on."""


@dataclass(frozen=True, slots=True)
class Member:
    """A record's bytes, to be read before the next member is asked for; what is left is passed over."""

    key: str
    size: int
    file: Source


@dataclass(frozen=True, slots=True)
class Refused:
    """A member that is no record of ours."""

    name: str
    reason: str


class BundleWriter:
    """Writes to a file or a pipe. Without `close` it is no bundle."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._records = 0
        self._bytes = 0

    def add(self, name: str, size: int, created: float, record: Source) -> None:
        """Copies `size` bytes; the caller sees to the order. Raises EOFError when the record has fewer."""
        self._head(name, size, created)
        left = size
        while left:
            chunk = record.read(min(left, _CHUNK))
            if not chunk:
                raise EOFError(f"{name}: {left} bytes are missing")
            self._file.write(chunk)
            left -= len(chunk)
        self._pad(size)
        self._records += 1
        self._bytes += size

    def notes(self, text: bytes) -> None:
        """What `read_notes` gives; after the records. Not part of what `read_bundle` gives."""
        self._text(NOTES, text)

    def close(self) -> None:
        """Writes the end; the file itself stays open."""
        manifest = {"bundle": VERSION, "records": self._records, "bytes": self._bytes}
        self._text(MANIFEST, json.dumps(manifest).encode() + b"\n")
        self._file.write(bytes(2 * _BLOCK))

    def _text(self, name: str, text: bytes) -> None:
        self._head(name, len(text), 0)
        self._file.write(text)
        self._pad(len(text))

    def _head(self, name: str, size: int, created: float) -> None:
        info = tarfile.TarInfo(name)
        info.size = size
        info.mode = 0o600
        info.mtime = min(max(int(created), 0), 0o77777777777)  # eleven octal digits
        self._file.write(info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict"))

    def _pad(self, size: int) -> None:
        self._file.write(bytes(-size % _BLOCK))


class _Part:
    """The next `size` bytes of a file that cannot seek."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self.left = size

    def read(self, amount: int, /) -> bytes:
        amount = min(amount, self.left)
        data = self._file.read(amount) if amount else b""
        if amount and not data:
            raise BadBundle("it is cut short")
        self.left -= len(data)
        return data

    def skip(self, padding: int) -> None:
        self.left += padding
        while self.left:
            self.read(_CHUNK)


def read_bundle(file: BinaryIO) -> Iterator[Member | Refused]:
    """The members in their order. Raises BadBundle where they end otherwise than they should."""
    records = size_of_all = 0
    manifest: dict[str, object] | None = None
    while info := _next_head(file):
        part = _Part(file, info.size)
        named = _NAMES.parse(info.name)
        if info.type in _EXTRA or (info.isreg() and info.name == NOTES):
            pass
        elif not info.isreg():
            yield Refused(info.name, "not a plain file")
        elif info.name == MANIFEST and info.size <= _MAX_MANIFEST:
            manifest = _manifest(b"".join(iter(partial(part.read, _CHUNK), b"")))
        elif not named:
            yield Refused(info.name, "not a name of a record")
        elif info.size > MAX_RECORD:
            yield Refused(info.name, f"larger than {MAX_RECORD >> 30} GiB")
        else:
            records += 1
            size_of_all += info.size
            yield Member(named.key, info.size, part)
        part.skip(-info.size % _BLOCK)
    if manifest is None:
        raise BadBundle("its end is missing")
    if (manifest["records"], manifest["bytes"]) != (records, size_of_all):
        raise BadBundle(f"it had {manifest['records']} records, and has {records} of them")


def read_notes(file: BinaryIO) -> bytes:
    """What was written with `notes`, b"" where nothing was. Raises BadBundle for what is no tar."""
    while info := _next_head(file):
        part = _Part(file, info.size)
        if info.isreg() and info.name == NOTES and info.size <= _MAX_NOTES:
            return b"".join(iter(partial(part.read, _CHUNK), b""))
        part.skip(-info.size % _BLOCK)
    return b""


def _next_head(file: BinaryIO) -> tarfile.TarInfo | None:
    """None at the end."""
    block = b""
    while len(block) < _BLOCK:
        more = file.read(_BLOCK - len(block))
        if not more:
            if block:
                raise BadBundle("it is cut short")
            return None
        block += more
    if not any(block):
        return None
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError, OverflowError) as error:
        raise BadBundle("not a tar file, or damaged") from error
    if info.size < 0:
        raise BadBundle("not a tar file, or damaged")
    return info


def _manifest(data: bytes) -> dict[str, object]:
    try:
        manifest = json.loads(data)
        version = manifest["bundle"]
        counts = manifest["records"], manifest["bytes"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadBundle("its manifest cannot be read") from None
    if version != VERSION or not all(isinstance(count, int) for count in counts):
        raise BadBundle(f"its version is {version!r}, the one known here {VERSION}")
    return dict(manifest)
