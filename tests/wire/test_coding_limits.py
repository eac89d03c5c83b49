"""How far a body is unpacked, and what that may cost."""

import gzip
import tracemalloc
import zlib

import pytest
import zstandard

from mitmcache.wire.coding import Decoder, TooLarge, decode
from wire.chunks import split
from wire.encoders import ENCODERS, TEXT, squeeze


@pytest.mark.parametrize("name", ENCODERS)
def test_the_limit_is_the_last_size_that_passes(name: str) -> None:
    encoding, encode = ENCODERS[name]
    packed = encode(TEXT)
    for chunks in ([packed], split(packed, list(range(0, len(packed), 500)))):
        enough, less = (Decoder(encoding, limit=len(TEXT) - missing) for missing in (0, 1))
        assert b"".join(map(enough.feed, chunks)) + enough.close() == TEXT
        with pytest.raises(TooLarge):
            b"".join(map(less.feed, chunks))


BOMB = 64 << 20
BOMBS = {
    "gzip": lambda: gzip.compress(bytes(BOMB), compresslevel=1),
    "deflate": lambda: zlib.compress(bytes(BOMB), 1),
    "br": lambda: squeeze(bytes(BOMB)),
    "zstd": lambda: zstandard.compress(bytes(BOMB)),
    "gzip, gzip": lambda: gzip.compress(gzip.compress(bytes(BOMB), compresslevel=1)),
    "zstd, br": lambda: squeeze(zstandard.compress(bytes(BOMB))),
}


@pytest.mark.parametrize("encoding", BOMBS)
def test_a_bomb_is_not_unpacked(encoding: str) -> None:
    bomb = BOMBS[encoding]()
    coarse = "zstd" in encoding
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            decode(bomb, encoding, 1 << 20)
        assert tracemalloc.get_traced_memory()[1] < (24 if coarse else 4) << 20
    finally:
        tracemalloc.stop()


def test_a_bomb_that_hides_in_an_inner_coding_is_found() -> None:
    """A million empty gzip members decode to nothing, and would take seconds."""
    bomb = gzip.compress(gzip.compress(b"") * 1_000_000)
    with pytest.raises(TooLarge):
        decode(bomb, "gzip, gzip", 1 << 20)
