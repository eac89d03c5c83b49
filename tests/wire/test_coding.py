import gzip
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.wire import coding
from mitmcache.wire.coding import CodingError, Decoder, TooLarge, decode
from wire.chunks import cuts, singly, split
from wire.encoders import CODED, ENCODERS, TEXT, bare_deflate, squeeze

every = pytest.mark.parametrize("name", ENCODERS)
coded = pytest.mark.parametrize("name", CODED)
bodies = st.binary(max_size=400) | st.binary(max_size=20).map(lambda part: part * 500)


def drain(decoder: Decoder, chunks: list[bytes]) -> bytes:
    return b"".join(decoder.feed(chunk) for chunk in chunks) + decoder.close()


@every
def test_undoes(name: str) -> None:
    encoding, encode = ENCODERS[name]
    for body in (TEXT, b"", b"x"):
        assert decode(encode(body), encoding, len(body)) == body


@every
@given(body=bodies, at=cuts)
def test_any_chunking_gives_the_same_bytes(name: str, body: bytes, at: list[int]) -> None:
    encoding, encode = ENCODERS[name]
    assert drain(Decoder(encoding), split(encode(body), at)) == body


@every
def test_undoes_byte_by_byte(name: str) -> None:
    encoding, encode = ENCODERS[name]
    assert drain(Decoder(encoding), singly(encode(TEXT[:3000]))) == TEXT[:3000]


@every
def test_a_body_of_no_bytes_is_empty(name: str) -> None:
    assert decode(b"", ENCODERS[name][0], 0) == b""


def deflate_stream(wbits: int) -> Callable[[list[bytes]], list[bytes]]:
    def encode(parts: list[bytes]) -> list[bytes]:
        packer = zlib.compressobj(wbits=wbits)
        return [packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH) for part in parts] + [packer.flush()]

    return encode


def brotli_stream(parts: list[bytes]) -> list[bytes]:
    packer = brotli.Compressor()
    return [packer.process(part) + packer.flush() for part in parts] + [packer.finish()]


def zstd_stream(parts: list[bytes]) -> list[bytes]:
    packer = zstandard.ZstdCompressor().compressobj()
    flushed = [packer.compress(part) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for part in parts]
    return [*flushed, packer.flush()]


STREAMS = {
    "gzip": deflate_stream(16 + zlib.MAX_WBITS),
    "deflate": deflate_stream(zlib.MAX_WBITS),
    "br": brotli_stream,
    "zstd": zstd_stream,
}


@pytest.mark.parametrize("encoding", STREAMS)
def test_what_the_server_flushed_is_given_at_once(encoding: str) -> None:
    """A stream's terminal event must be heard when it arrives, not at the end of the body."""
    parts = [b"data: %d\n\n" % number for number in range(20)]
    chunks = STREAMS[encoding](parts)
    decoder = Decoder(encoding)
    assert [decoder.feed(chunk) for chunk in chunks[:-1]] == parts
    assert decoder.feed(chunks[-1]) + decoder.close() == b""


JOINED = [
    ("gzip members", "gzip", gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two"), b"one two"),
    ("a gzip member and padding", "gzip", gzip.compress(b"one") + bytes(700), b"one"),
    ("zstd frames", "zstd", zstandard.compress(b"one ") + zstandard.compress(b"two"), b"one two"),
    ("a skippable zstd frame", "zstd", b"\x50\x2a\x4d\x18\3\0\0\0abc" + zstandard.compress(b"one"), b"one"),
]


@pytest.mark.parametrize(("encoding", "data", "body"), [c[1:] for c in JOINED], ids=[c[0] for c in JOINED])
def test_joins(encoding: str, data: bytes, body: bytes) -> None:
    assert decode(data, encoding, len(body)) == body
    assert drain(Decoder(encoding), singly(data)) == body


@coded
def test_a_cut_body_gives_what_it_holds_or_an_error(name: str) -> None:
    encoding, encode = ENCODERS[name]
    packed = encode(TEXT)
    held = 0
    for share in range(1, 10):
        cut = packed[: len(packed) * share // 10]
        part = decode(cut, encoding, len(TEXT), partial=True)
        assert TEXT.startswith(part)
        assert len(part) >= held
        held = len(part)
        with pytest.raises(CodingError, match="stops"):
            decode(cut, encoding, len(TEXT))
    assert held > len(TEXT) // 3


@coded
def test_a_cut_body_gives_the_same_in_one_chunk_and_in_many(name: str) -> None:
    """Of zeros, whose output passes a step within a few bytes of input, and of text."""
    encoding, encode = ENCODERS[name]
    for packed in (encode(bytes(5 * coding.STEP)), encode(TEXT[:2000])):
        decoder, held = Decoder(encoding), b""
        for end, byte in enumerate(singly(packed), start=1):
            held += decoder.feed(byte)
            assert decode(packed[:end], encoding, 6 * coding.STEP, partial=True) == held


@coded
def test_a_body_without_its_last_byte_is_cut(name: str) -> None:
    encoding, encode = ENCODERS[name]
    with pytest.raises(CodingError, match="stops"):
        decode(encode(TEXT)[:-1], encoding, len(TEXT))


CORRUPT = [
    ("not gzip", "gzip", b'{"a": 1}'),
    ("not zstd", "zstd", b'{"a": 1}'),
    ("not deflate", "deflate", b"\xff\xff\xff\xff"),
    ("not brotli", "br", b"\xff" * 40),
    ("a wrong gzip checksum", "gzip", gzip.compress(TEXT)[:-8] + b"\1\2\3\4" + gzip.compress(TEXT)[-4:]),
    ("a wrong zlib checksum", "deflate", zlib.compress(TEXT)[:-4] + b"\1\2\3\4"),
    ("bytes after gzip", "gzip", gzip.compress(b"a") + b"{}"),
    ("bytes after zlib", "deflate", zlib.compress(b"a") + b"{}"),
    ("bytes after bare deflate", "deflate", bare_deflate(b"a") + b"{}"),
    ("bytes after brotli", "br", squeeze(b"a") + b"{}"),
    ("bytes after zstd", "zstd", zstandard.compress(b"a") + b"{}{}"),
    ("zero bytes before gzip", "gzip", bytes(4) + gzip.compress(b"a")),
    ("corrupt inside", "gzip, br", squeeze(b"{}")),
]


@pytest.mark.parametrize(
    ("encoding", "data"), [case[1:] for case in CORRUPT], ids=[case[0] for case in CORRUPT]
)
def test_refuses(encoding: str, data: bytes) -> None:
    for chunks in ([data], singly(data)):
        with pytest.raises(CodingError) as caught:
            drain(Decoder(encoding), chunks)
        assert not isinstance(caught.value, TooLarge)


@given(st.sampled_from(["gzip", "deflate", "br", "zstd", "br, gzip"]), st.binary(max_size=200), cuts)
def test_any_bytes_decode_or_are_refused(encoding: str, data: bytes, at: list[int]) -> None:
    def outcome(chunks: list[bytes]) -> bytes | None:
        try:
            return drain(Decoder(encoding), chunks)
        except CodingError:
            return None

    assert outcome(split(data, at)) == outcome([data])


@pytest.mark.parametrize("encoding", ["compress", "aws-chunked", "gzip, sdch", "utf-8", "gzip br"])
def test_an_unknown_coding_is_refused_before_any_byte(encoding: str) -> None:
    with pytest.raises(CodingError, match="unknown"):
        Decoder(encoding)


def test_a_long_list_of_codings_is_refused() -> None:
    with pytest.raises(CodingError, match="5 content codings"):
        Decoder("gzip, gzip, gzip, gzip, gzip")


def test_a_decoder_that_refused_stays_refusing() -> None:
    for bad, reason in ((b"{}", "corrupt"), (gzip.compress(b"12"), "limit")):
        decoder = Decoder("gzip", limit=1)
        for attempt in (bad, gzip.compress(b"a"), b""):
            with pytest.raises(CodingError, match=reason):
                decoder.feed(attempt)
        with pytest.raises(CodingError, match=reason):
            decoder.close()


def test_a_zstd_window_past_what_http_allows_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=24)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(CodingError, match="corrupt"):
        decode(packer.compress(TEXT) + packer.flush(), "zstd", len(TEXT))
