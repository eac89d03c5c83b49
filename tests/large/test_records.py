import gzip
import io
import random
from dataclasses import replace

import pytest
import zstandard

from made import KEY, RECORD
from mitmcache.cache import record
from mitmcache.cache.record import Corrupt, ForeignVersion, Meta, Record
from mitmcache.large import records
from mitmcache.large.records import LargeRecord
from mitmcache.store.base import LARGE, Large

PLAIN = b"a word and another one, " * (LARGE // 20)
NOISE = random.Random(7).randbytes(LARGE + 1)


def blob(body: bytes) -> bytes:
    return record.encode(replace(RECORD, body=body))


def as_file(data: bytes) -> Large:
    return Large(io.BytesIO(data), len(data))


def large(data: bytes) -> LargeRecord:
    found = records.read(as_file(data), KEY)
    assert isinstance(found, LargeRecord)
    return found


@pytest.mark.parametrize("body", [PLAIN, NOISE], ids=["packed", "as it is"])
def test_a_file_is_read_piece_by_piece(body: bytes) -> None:
    found = large(blob(body))
    pieces = list(records.body(found))
    assert b"".join(pieces) == body and max(map(len, pieces)) <= records.PIECE
    assert found.size == len(body)
    assert all(getattr(found, name) == getattr(RECORD, name) for name in Meta.__dataclass_fields__)


def test_a_small_record_is_read_as_a_whole() -> None:
    assert records.read(record.encode(RECORD), KEY) == RECORD


def test_a_record_in_memory_whose_body_is_too_large_for_it_is_read_piece_by_piece() -> None:
    packed = blob(PLAIN)
    assert len(packed) < LARGE < len(PLAIN)
    found = records.read(packed, KEY)
    assert isinstance(found, LargeRecord) and b"".join(records.body(found)) == PLAIN


def test_a_caller_may_have_it_gzipped() -> None:
    assert gzip.decompress(b"".join(records.body(large(blob(PLAIN)), gzipped=True))) == PLAIN


def changed(at: int) -> bytes:
    data = bytearray(blob(NOISE))
    data[at] ^= 1
    return bytes(data)


def lying(body: bytes, size: int, coding: record.Coding) -> bytes:
    return record.head(RECORD, coding, size, record.digest(body)) + body


DAMAGED = {
    "nothing": b"",
    "a cut head": blob(NOISE)[:40],
    "a cut body": blob(NOISE)[:-1],
    "a byte of the head": changed(30),
    "a byte of the body": changed(-1),
    "a byte more": blob(NOISE) + b"1",
    "another size": lying(b"1" * 100, 99, "raw"),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_what_is_damaged_is_found_before_a_byte_is_sent_and_closed(data: bytes) -> None:
    blob = as_file(data)
    with pytest.raises(Corrupt):
        records.read(blob, KEY)
    assert blob.file.closed


@pytest.mark.parametrize("size", [99, 101])
def test_a_body_that_unpacks_to_another_size_ends_in_an_error_and_is_never_longer(size: int) -> None:
    found = large(lying(zstandard.compress(b"1" * 100), size, "zstd"))
    got = b""
    with pytest.raises(Corrupt):
        for piece in records.body(found):
            got += piece
    assert len(got) <= size


def test_another_keys_record_and_another_versions_are_told_apart() -> None:
    with pytest.raises(Corrupt):
        records.read(as_file(blob(NOISE)), "f" * 64)
    other = bytearray(blob(NOISE))
    other[4] = 99
    with pytest.raises(ForeignVersion):
        records.read(as_file(bytes(other)), KEY)


def test_closing_a_record_closes_its_file() -> None:
    data = as_file(blob(NOISE))
    found = records.read(data, KEY)
    assert isinstance(found, LargeRecord) and not isinstance(found, Record)
    found.close()
    assert data.file.closed


@pytest.mark.parametrize("body", [PLAIN, NOISE], ids=["packed", "as it is"])
def test_it_can_be_had_as_a_whole_all_the_same(body: bytes) -> None:
    found = large(blob(body))
    assert records.whole(found) == replace(RECORD, body=body)
    assert found.file.closed
