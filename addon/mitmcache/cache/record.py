"""A stored answer <-> bytes: one self-describing object, so that a hit is one read.

    "LLMC" | u8 version | u8 flags | u16 0 | u32 length of header | u32 CRC-32 of all that and the header
    | header, JSON | body, zstd or as it is

Everything before the body is the head. The header carries the SHA-256/128 of the stored body. No request
text and no credential is in a record.
"""

import hashlib
import json
from dataclasses import dataclass, field, replace
from struct import Struct
from typing import Any, Literal
from zlib import crc32

import zstandard

from mitmcache.exchange import Headers
from mitmcache.selection import About

FORMAT_VERSION = 1
MAX_HEAD = 1 << 20
"""Bytes. Whoever reads a head from a file or a socket knows how much that can be."""
_MAGIC = b"LLMC"
_PREFIX = Struct(">4sBBHII")
PREFIX = _PREFIX.size
"""So many bytes tell the length of the head."""
_COMPACT = json.JSONEncoder(separators=(",", ":"))
_LEVEL = 3
_WORTH = 0.9  # a body that does not shrink below this share is kept as it is

type Coding = Literal["zstd", "raw"]


class Corrupt(ValueError):
    """Not a record, or not as it was written."""


class ForeignVersion(Exception):
    """A record of another version of the format: a miss, to be left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """A record without its body. Times are Unix seconds; `expires` 0 is never. `generation`: see About."""

    key: str
    provider: str
    dialect: str
    model: str
    created: float
    expires: float
    status: int
    headers: Headers
    host: str = ""
    tags: tuple[str, ...] = ()
    generation: int = 0

    @property
    def about(self) -> About:
        return About(self.provider, self.host, self.model, self.tags, self.created, self.generation)

    def facts(self) -> dict[str, Any]:
        """By name: those of a record, whatever form its body has."""
        return {name: getattr(self, name) for name in _FIELDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Meta):
    """`body` is decoded."""

    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Head:
    """What comes before the body. `size` is that of the decoded body, `digest` is `digest()` of the stored
    one, which begins `length` bytes into the record."""

    meta: Meta
    coding: Coding
    size: int
    digest: str
    length: int


def compressor() -> zstandard.ZstdCompressor:
    """For `encode`. To make one takes longer than to compress a small body; it keeps its memory."""
    return zstandard.ZstdCompressor(level=_LEVEL)


def encode(record: Record, by: zstandard.ZstdCompressor | None = None) -> bytes:
    """`by`: a compressor that is kept, and used by one thread at a time."""
    packed = (by or compressor()).compress(record.body)
    coding: Coding = "zstd"
    stored = packed
    if len(packed) >= _WORTH * len(record.body):
        coding, stored = "raw", record.body
    return head(record, coding, len(record.body), digest(stored)) + stored


def decode(blob: bytes, key: str) -> Record:
    """Raises Corrupt unless every byte is as written and the record is that of `key`, and ForeignVersion."""
    return decode_body(read_head(blob), blob, key)


def decode_body(found: Head, blob: bytes, key: str) -> Record:
    """As `decode`, where the head was read already."""
    if found.meta.key != key:
        raise Corrupt("the record of another key")
    stored = blob[found.length :]
    if found.digest != digest(stored):
        raise Corrupt("the body's digest does not match")
    body = _unpacked(stored, found.size) if found.coding == "zstd" else stored
    if len(body) != found.size:
        raise Corrupt("the body has another size")
    return Record(**found.meta.facts(), body=body)


def head(meta: Meta, coding: Coding, size: int, digest: str) -> bytes:
    """The arguments are those of Head."""
    # not orjson: a header or a path may hold what is not UTF-8, as surrogates
    fields = meta.facts() | {"coding": coding, "size": size, "digest": digest}
    header = _COMPACT.encode(fields).encode()
    if PREFIX + len(header) > MAX_HEAD:
        raise ValueError("the record's header is too long")
    # the CRC covers the prefix too, but for its own four bytes
    prefix = _PREFIX.pack(_MAGIC, FORMAT_VERSION, 0, 0, len(header), 0)[:-4]
    return prefix + crc32(header, crc32(prefix)).to_bytes(4, "big") + header


def head_length(data: bytes) -> int:
    """How many bytes the head takes, from the first PREFIX of them. Raises Corrupt and ForeignVersion."""
    if len(data) < PREFIX:
        raise Corrupt("too short")
    magic, version, _, _, size, _ = _PREFIX.unpack_from(data)
    if magic != _MAGIC:
        raise Corrupt("not a record")
    if version != FORMAT_VERSION:
        raise ForeignVersion(f"version {version}")
    if PREFIX + size > MAX_HEAD:
        raise Corrupt("the header is too long")
    return PREFIX + int(size)


def read_head(data: bytes) -> Head:
    """Of a record, or of as much of its start as `head_length` says, or more. Raises Corrupt unless every
    byte of the head is as written, and ForeignVersion."""
    length = head_length(data)
    header = data[PREFIX:length]
    if crc32(header, crc32(data[: PREFIX - 4])).to_bytes(4, "big") != data[PREFIX - 4 : PREFIX]:
        raise Corrupt("the header's checksum does not match")
    try:
        fields = json.loads(header)
        return _head({**_ABSENT, **fields}, length)
    except Corrupt:
        raise
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise Corrupt("a record that was not written by us") from error


def restamp(blob: bytes, generation: int) -> bytes:
    """The same record with another generation; its body is not looked at."""
    found = read_head(blob)
    return restamped(found, generation) + blob[found.length :]


def restamped(found: Head, generation: int) -> bytes:
    """The same head with another generation."""
    return head(replace(found.meta, generation=generation), found.coding, found.size, found.digest)


def digest(stored: bytes) -> str:
    """The first half of the SHA-256."""
    return hashlib.sha256(stored).hexdigest()[:32]


# In this order in the header. What came later than the first record has a value for those without it.
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "key": str,
    "provider": str,
    "dialect": str,
    "model": str,
    "created": (int, float),
    "expires": (int, float),
    "status": int,
    "headers": list,
    "host": str,
    "tags": list,
    "generation": int,
}
_ABSENT: dict[str, Any] = {"host": "", "tags": [], "generation": 0}


def _head(fields: dict[str, Any], length: int) -> Head:
    values = {name: fields[name] for name in _FIELDS}
    coding, size, digest = fields["coding"], fields["size"], fields["digest"]
    right = all(isinstance(values[name], kind) for name, kind in _FIELDS.items())
    texts = [*values["tags"], digest, *(text for pair in values["headers"] for text in pair)]
    if not right or not isinstance(size, int) or coding not in ("zstd", "raw"):
        raise Corrupt("a field of another type")
    if not all(isinstance(text, str) for text in texts) or not 0 <= values["generation"] < 1 << 63:
        raise Corrupt("a value that no field has")
    values["headers"] = tuple((name, value) for name, value in values["headers"])
    values["tags"] = tuple(values["tags"])
    return Head(Meta(**values), coding, size, digest, length)


def _unpacked(stored: bytes, size: int) -> bytes:
    """Raises Corrupt also where the frame itself claims another size, which would be allocated at once."""
    try:
        if zstandard.frame_content_size(stored) in (size, -1):
            return zstandard.ZstdDecompressor().decompress(stored, max_output_size=size)
    except zstandard.ZstdError as error:
        raise Corrupt("the body cannot be decompressed") from error
    raise Corrupt("the body has another size")
