"""Bodies under each content coding that the decoder undoes."""

import gzip
import random
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import zstandard


def bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def squeeze(data: bytes) -> bytes:
    packed: bytes = brotli.compress(data, quality=5)
    return packed


ENCODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "bare deflate": ("deflate", bare_deflate),
    "brotli": ("br", squeeze),
    "zstd": ("zstd", zstandard.compress),
    "brotli over gzip": ("gzip, br", lambda data: squeeze(gzip.compress(data))),
    "three": ("deflate,zstd , gzip", lambda data: gzip.compress(zstandard.compress(zlib.compress(data)))),
    "identity": ("identity", bytes),
    "none": ("", bytes),
    "identity in a list": ("identity, gzip,", gzip.compress),
    "any case": ("GZip", gzip.compress),
}
CODED = [name for name in ENCODERS if name not in ("identity", "none")]
TEXT = " ".join(
    random.Random(1).choices(["data:", "{", "}", "delta", "[DONE]", "0.25", "é"], k=60_000)
).encode()
