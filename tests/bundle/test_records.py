"""Records as files: the same as `record.decode` says, piece by piece."""

import io
import random
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from made import KEY, RECORD
from mitmcache.bundle import records
from mitmcache.cache import record
from mitmcache.cache.record import Corrupt, ForeignVersion
from mitmcache.large.records import read_head
from mitmcache.store.base import Large
from records import RECORDS

BODIES = {
    "empty": b"",
    "incompressible": random.Random(1).randbytes(600_000),
    "compressible": b"the same " * 200_000,
}


class Pipe:
    """Gives less than is asked for."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, amount: int, /) -> bytes:
        return self._file.read(min(amount, 1000))


def copied(
    blob: bytes, generation: int = 7, expires: float | None = None, created: float | None = None
) -> bytes:
    target = io.BytesIO()
    head = records.copy(Pipe(blob), KEY, target, generation, expires, created)
    assert target.getvalue().startswith(record.head(head.meta, head.coding, head.size, head.digest))
    return target.getvalue()


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_the_body_comes_in_pieces_of_bounded_size(body: bytes) -> None:
    source = io.BytesIO(record.encode(replace(RECORD, body=body)))
    pieces = list(records.body(source, read_head(source)))
    assert b"".join(pieces) == body
    assert all(len(piece) <= records.PIECE for piece in pieces)


TIMES = st.none() | st.floats(0, 4e9)


@given(RECORDS, st.integers(0, 2**62), TIMES, TIMES)
def test_a_copy_differs_in_generation_and_times_alone(
    some: record.Record, generation: int, expires: float | None, created: float | None
) -> None:
    found = record.decode(copied(record.encode(some), generation, expires, created), KEY)
    assert found == replace(
        some,
        generation=generation,
        expires=some.expires if expires is None else expires,
        created=some.created if created is None else created,
    )


@given(RECORDS, st.data())
def test_of_what_is_damaged_nothing_is_taken(some: record.Record, data: st.DataObject) -> None:
    blob = bytearray(record.encode(some))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((Corrupt, ForeignVersion)):
        copied(bytes(blob))


@pytest.mark.parametrize("body", [b"incompressible", BODIES["compressible"]])
def test_of_a_body_that_is_whole_but_another_nothing_is_taken(body: bytes) -> None:
    blob = record.encode(replace(RECORD, body=body))
    length = record.read_head(blob).length
    other = record.encode(replace(RECORD, body=bytes(reversed(body))))
    with pytest.raises(Corrupt, match="digest"):
        copied(blob[:length] + other[record.read_head(other).length :])


@given(RECORDS, st.data())
def test_of_what_is_cut_nothing_is_taken(some: record.Record, data: st.DataObject) -> None:
    blob = record.encode(some)
    with pytest.raises(Corrupt):
        copied(blob[: data.draw(st.integers(0, len(blob) - 1))])


def test_a_record_of_another_key_is_not_taken() -> None:
    with pytest.raises(Corrupt, match="another key"):
        copied(record.encode(replace(RECORD, key="0" * 64)))


def test_one_that_unpacks_to_more_than_it_says_is_left_at_once() -> None:
    whole = record.encode(replace(RECORD, body=bytes(100 << 20)))
    honest = record.read_head(whole)
    stored = whole[honest.length :]
    lying = record.head(honest.meta, "zstd", 1000, record.digest(stored)) + stored
    source = io.BytesIO(lying)
    with pytest.raises(Corrupt, match="another size"):
        for piece in records.body(source, read_head(source)):
            assert len(piece) <= 1000


def test_a_blob_is_opened_wherever_it_is(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"one")
    large = Large((tmp_path / "large").open("rb"), 3)
    for blob in (b"one", large):
        with closing(records.opened_blob(blob)) as file:
            assert file.read() == b"one"
    assert large.file.closed


def test_a_new_file_is_its_owner_s_alone_and_takes_nobody_s_place(tmp_path: Path) -> None:
    with records.write_file(tmp_path / "new") as file:
        file.write(b"one")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        records.write_file(tmp_path / "new")
