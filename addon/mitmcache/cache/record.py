"""A stored answer <-> bytes: one self-describing object, so that a hit is one read.

    "LLMC" | u8 version | u8 flags | u16 0 | u32 length of header | u32 CRC-32 of all that and the header
    | header, JSON | body, zstd or as it is

The header carries the SHA-256/128 of the stored body. No request text and no credential is in a record.
"""

import hashlib
import json
from dataclasses import dataclass, field
from struct import Struct
from typing import Any
from zlib import crc32

import zstandard

from mitmcache.exchange import Headers

FORMAT_VERSION = 1
_MAGIC = b"LLMC"
_HEAD = Struct(">4sBBHII")
_LEVEL = 3
_WORTH = 0.9  # a body that does not shrink below this share is kept as it is


class Corrupt(ValueError):
    """Not a record, or not as it was written."""


class ForeignVersion(Exception):
    """A record of another version of the format: a miss, to be left alone."""


@dataclass(frozen=True, slots=True)
class Record:
    """Times are Unix seconds; `expires` 0 is never. `body` is decoded."""

    key: str
    provider: str
    dialect: str
    model: str
    created: float
    expires: float
    status: int
    headers: Headers
    body: bytes = field(repr=False)


def encode(record: Record) -> bytes:
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(record.body)
    coding, stored = ("zstd", packed) if len(packed) < _WORTH * len(record.body) else ("raw", record.body)
    header = json.dumps(  # not orjson: a header or a path may hold what is not UTF-8, as surrogates
        {
            "key": record.key,
            "provider": record.provider,
            "dialect": record.dialect,
            "model": record.model,
            "created": record.created,
            "expires": record.expires,
            "status": record.status,
            "headers": record.headers,
            "coding": coding,
            "size": len(record.body),
            "digest": _digest(stored),
        },
        separators=(",", ":"),
    ).encode()
    # the CRC covers the head too, but for its own four bytes
    head = _HEAD.pack(_MAGIC, FORMAT_VERSION, 0, 0, len(header), 0)[:-4]
    return head + crc32(header, crc32(head)).to_bytes(4, "big") + header + stored


def decode(blob: bytes, key: str) -> Record:
    """Raises Corrupt unless every byte is as written and the record is that of `key`."""
    try:
        magic, version, _, _, size, checksum = _HEAD.unpack_from(blob)
    except Exception as error:
        raise Corrupt("too short") from error
    if magic != _MAGIC:
        raise Corrupt("not a record")
    if version != FORMAT_VERSION:
        raise ForeignVersion(f"version {version}")
    header, stored = blob[_HEAD.size : _HEAD.size + size], blob[_HEAD.size + size :]
    if crc32(header, crc32(blob[: _HEAD.size - 4])) != checksum:
        raise Corrupt("the header's checksum does not match")
    try:
        return _record(json.loads(header), stored, key)
    except Corrupt:
        raise
    except (KeyError, TypeError, ValueError, zstandard.ZstdError) as error:
        raise Corrupt("a record that was not written by us") from error


def _record(fields: dict[str, Any], stored: bytes, key: str) -> Record:
    if fields["key"] != key:
        raise Corrupt("the record of another key")
    if fields["digest"] != _digest(stored):
        raise Corrupt("the body's digest does not match")
    body = stored
    if fields["coding"] == "zstd":
        body = zstandard.ZstdDecompressor().decompress(stored, max_output_size=fields["size"])
    if len(body) != fields["size"]:
        raise Corrupt("the body has another size")
    return Record(
        key=key,
        provider=fields["provider"],
        dialect=fields["dialect"],
        model=fields["model"],
        created=fields["created"],
        expires=fields["expires"],
        status=fields["status"],
        headers=tuple((name, value) for name, value in fields["headers"]),
        body=body,
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
