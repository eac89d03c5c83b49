from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from made import KEY, RECORD
from mitmcache.cache.record import (
    MAX_HEAD,
    PREFIX,
    Corrupt,
    ForeignVersion,
    Head,
    Meta,
    Record,
    decode,
    digest,
    encode,
    head,
    head_length,
    read_head,
    restamp,
)
from mitmcache.selection import About
from records import FULL, RECORDS


@given(RECORDS, st.integers(0, 300))
def test_the_head_is_read_from_the_start_alone(record: Record, more: int) -> None:
    blob = encode(record)
    length = head_length(blob[:PREFIX])
    found = read_head(blob[: length + more])
    stored = blob[length:]
    meta = Meta(**{name: getattr(record, name) for name in Meta.__slots__})
    assert found == Head(meta, found.coding, len(record.body), digest(stored), length)
    assert blob == head(record, found.coding, found.size, found.digest) + stored


def test_a_head_that_is_not_all_there_is_corrupt() -> None:
    blob = encode(FULL)
    for size in range(head_length(blob)):
        with pytest.raises(Corrupt):
            read_head(blob[:size])


def test_a_head_longer_than_any_is_neither_written_nor_waited_for() -> None:
    with pytest.raises(ValueError, match="too long"):
        encode(replace(RECORD, headers=(("content-type", "x" * MAX_HEAD),)))
    for size, refused in ((MAX_HEAD - PREFIX, False), (MAX_HEAD - PREFIX + 1, True)):
        prefix = b"LLMC\x01\0\0\0" + size.to_bytes(4, "big") + bytes(4)
        if refused:
            with pytest.raises(Corrupt):
                head_length(prefix)
        else:
            assert head_length(prefix) == MAX_HEAD


@given(RECORDS, st.integers(0, 2**63 - 1))
def test_another_generation_changes_nothing_else(record: Record, generation: int) -> None:
    stamped = restamp(encode(record), generation)
    assert decode(stamped, KEY) == replace(record, generation=generation)
    assert stamped.endswith(encode(record)[head_length(encode(record)) :])


@pytest.mark.parametrize(
    ("blob", "error"),
    [
        (b"", Corrupt),
        (encode(RECORD)[:60], Corrupt),
        (b"LLMC\x02" + encode(RECORD)[5:], ForeignVersion),
    ],
    ids=["nothing", "cut", "another version"],
)
def test_what_is_no_record_gets_no_generation(blob: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        restamp(blob, 1)


def test_a_record_tells_what_a_purge_asks() -> None:
    assert FULL.about == About("made", FULL.host, "m-1", FULL.tags, FULL.created, FULL.generation)
    assert read_head(encode(FULL)).meta.about == FULL.about
