"""Against a real S3 server, with the real seal."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mitmcache.store.base import LARGE, Blob, Large, Staged, StoreError
from mitmcache.store.location import parse
from mitmcache.store.s3 import Objects
from mitmcache.store.s3_errors import BucketError
from mitmcache.store.seal import Seal
from mitmcache.store.transfer import Transfer, Unreadable
from s3.server import S3Server

SMALL = b"a record" * 100
BIG = os.urandom(LARGE + 100)
SEAL = Seal(b"0123456789abcdef", "bucket/prefix")
NAME = "v1/entries/p/m/k"


@pytest.fixture(scope="module")
def shared(s3_server: S3Server, common_bucket: str) -> Iterator[Objects]:
    objects = Objects(parse(f"s3://{common_bucket}/transfer", s3_server.environ), s3_server.environ)
    yield objects
    objects.close()


@pytest.fixture
def objects(shared: Objects) -> Objects:
    shared.delete([item.name for item in shared.list()])
    return shared


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    folder = tmp_path / "staging"
    folder.mkdir()
    return folder


def transfer(objects: Objects, seal: Seal | None, staging: Path) -> Transfer:
    numbers = iter(range(100))
    return Transfer(objects, seal, lambda: staging / str(next(numbers)))


def content(blob: Blob | None) -> bytes | None:
    if not isinstance(blob, Large):
        return blob
    with blob.file as file:
        data = file.read()
    assert len(data) == blob.size
    return data


def nothing() -> None:
    pass


def staged(folder: Path, data: bytes) -> Staged:
    path = folder / "record"
    path.write_bytes(data)
    return Staged(path, len(data))


seals = pytest.mark.parametrize("seal", [None, SEAL], ids=["open", "sealed"])


@seals
@pytest.mark.parametrize("data", [b"", SMALL, bytes(LARGE)], ids=["empty", "small", "just not large"])
def test_bytes_come_back_as_bytes(objects: Objects, seal: Seal | None, staging: Path, data: bytes) -> None:
    it = transfer(objects, seal, staging)
    it.put(NAME, data)
    assert it.get(NAME, 20, nothing) == data
    assert list(staging.iterdir()) == []


@seals
def test_a_staged_file_comes_back_as_a_file_and_stays_where_it_is(
    objects: Objects, seal: Seal | None, staging: Path, tmp_path: Path
) -> None:
    it, began = transfer(objects, seal, staging), []
    it.put(NAME, staged(tmp_path, BIG))
    assert (tmp_path / "record").exists()
    found = it.get(NAME, 20, lambda: began.append(True))
    assert isinstance(found, Large)
    assert content(found) == BIG
    assert began == [True]
    assert list(staging.iterdir()) == []


@seals
def test_an_open_file_is_put_from_its_start_and_left_open(
    objects: Objects, seal: Seal | None, staging: Path, tmp_path: Path
) -> None:
    it = transfer(objects, seal, staging)
    with staged(tmp_path, BIG).path.open("rb") as file:
        file.read(10)
        it.put(NAME, Large(file, len(BIG)))
        assert not file.closed
    assert content(it.get(NAME, 20, nothing)) == BIG


def test_what_is_sealed_shows_nothing_of_what_is_in_it(
    objects: Objects, staging: Path, tmp_path: Path
) -> None:
    transfer(objects, SEAL, staging).put(NAME, SMALL)
    assert SMALL[:8] not in (transfer(objects, None, staging).get(NAME, 20, nothing) or b"")  # type: ignore[operator]


@seals
def test_a_missing_record_is_none(objects: Objects, seal: Seal | None, staging: Path) -> None:
    assert transfer(objects, seal, staging).get(NAME, 20, nothing) is None


@pytest.mark.parametrize("data", [SMALL, BIG], ids=["small", "large"])
@pytest.mark.parametrize(
    "seal", [None, Seal(b"another secret 1", "bucket/prefix")], ids=["open", "other secret"]
)
def test_what_is_not_sealed_with_our_secret_is_unreadable_and_leaves_no_file(
    objects: Objects, staging: Path, tmp_path: Path, data: bytes, seal: Seal | None
) -> None:
    theirs = staged(tmp_path, data) if len(data) > LARGE else data
    transfer(objects, seal, staging).put(NAME, theirs)
    with pytest.raises(Unreadable):
        transfer(objects, SEAL, staging).get(NAME, 20, nothing)
    assert list(staging.iterdir()) == []


@seals
def test_a_staged_file_that_is_gone_is_not_the_fault_of_the_bucket(
    objects: Objects, seal: Seal | None, staging: Path, tmp_path: Path
) -> None:
    with pytest.raises(StoreError) as caught:
        transfer(objects, seal, staging).put(NAME, Staged(tmp_path / "gone", 1))
    assert not isinstance(caught.value, BucketError)


def test_a_place_for_files_that_fails_is_not_the_fault_of_the_bucket(
    objects: Objects, staging: Path, tmp_path: Path
) -> None:
    def full() -> Path:
        raise OSError(28, "No space left on device")

    it = Transfer(objects, None, full)
    it.put(NAME, staged(tmp_path, BIG))
    with pytest.raises(StoreError) as caught:
        it.get(NAME, 20, nothing)
    assert not isinstance(caught.value, BucketError)


def test_without_a_place_for_files_they_are_temporary_ones(
    objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    it = Transfer(objects, SEAL, None)
    it.put(NAME, staged(tmp_path, BIG))
    assert content(it.get(NAME, 20, nothing)) == BIG
    assert list(folder.iterdir()) == []
