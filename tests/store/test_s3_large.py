import os
import subprocess
import sys
from collections.abc import Iterator
from http.client import IncompleteRead
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from mitmcache.store import s3_large
from mitmcache.store.base import StoreError
from mitmcache.store.location import parse
from mitmcache.store.s3 import Fetched, Objects
from mitmcache.store.s3_errors import BucketError, Kind
from mitmcache.store.s3_large import BLOCK, Part, Received, save
from s3.faults import Fault, FaultProxy, Request
from s3.late import Clock
from s3.server import S3Server, environ

PART = 5 << 20
"""The smallest that a server takes."""
SIZE = 2 * PART + 1000
ADDON = Path(__file__).parents[2] / "addon"

MEASURE = """
import os, resource, sys
from pathlib import Path
from mitmcache.store.location import parse
from mitmcache.store.s3 import Objects
place, folder = sys.argv[1:]
objects = Objects(parse(place, os.environ), os.environ)
source, target = Path(folder, "source"), Path(folder, "target")
objects.put("v1/warm", bytes(9 << 20), deadline=250)
objects.get("v1/warm", deadline=60, stage=lambda: target).body.file.close()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
objects.put("v1/large", source, deadline=250)
found = objects.get("v1/large", deadline=250, stage=lambda: target)
with found.body.file as file, source.open("rb") as asked:
    while block := file.read(1 << 20):
        assert block == asked.read(1 << 20)
    assert not asked.read(1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(os.urandom(SIZE))
    return path


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_large, "SINGLE", PART)
    monkeypatch.setattr(s3_large, "PART", PART)


@pytest.fixture
def objects(place: str, faults: FaultProxy, small_parts: None) -> Iterator[Objects]:
    variables = environ(faults.endpoint)
    made = Objects(parse(place, variables), variables)
    yield made
    made.close()


def uploads(server: S3Server, objects: Objects) -> list[Any]:
    """What was begun and neither completed nor given up."""
    listed = server.client.list_multipart_uploads(Bucket=objects.location.bucket)
    return [each for each in listed.get("Uploads", []) if each["Key"].startswith(objects.location.prefix)]


def is_part(request: Request, number: int = 0) -> bool:
    return request.method == "PUT" and f"partNumber={number or ''}" in request.path


def test_a_large_object_goes_up_in_parts_of_one_size(
    objects: Objects, faults: FaultProxy, source: Path, tmp_path: Path
) -> None:
    objects.put("v1/x", source, deadline=60)
    parts = [int(request.headers["content-length"]) for request in faults.requests if is_part(request)]
    assert parts == [PART, PART, 1000]
    found = objects.get("v1/x", deadline=60, stage=lambda: tmp_path / "target")
    assert isinstance(found, Fetched)
    assert not isinstance(found.body, bytes)
    with found.body.file as file:
        assert file.read() == source.read_bytes()


def test_an_object_of_just_one_part_goes_up_at_once(objects: Objects, faults: FaultProxy) -> None:
    objects.put("v1/x", bytes(PART), deadline=60)
    assert faults.methods == ["PUT"]


def test_the_parts_keep_to_a_condition(objects: Objects, source: Path) -> None:
    objects.put("v1/x", b"first", deadline=60)
    with pytest.raises(BucketError) as caught:
        objects.put("v1/x", source, deadline=60, if_none_match=True)
    assert caught.value.kind is Kind.CONFLICT
    assert objects.get("v1/x", deadline=60).body == b"first"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(Fault.STATUS, Kind.FAILED), (Fault.GARBAGE, Kind.GARBAGE), (Fault.HANG, Kind.TIMEOUT)],
)
def test_an_upload_that_fails_leaves_no_parts(
    objects: Objects,
    faults: FaultProxy,
    s3_server: S3Server,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    kind: Kind,
) -> None:
    clock = Clock(monkeypatch)

    def applies(request: Request) -> bool:
        if is_part(request, 2) and fault is Fault.HANG:
            clock.ahead = 59.0
        return is_part(request, 2)

    faults.behave(fault, applies=applies)
    with pytest.raises(BucketError) as caught:
        objects.put("v1/x", source, deadline=60)
    assert caught.value.kind is kind
    assert is_part(faults.requests[-2], 2)
    assert faults.methods[-1] == "DELETE"
    assert uploads(s3_server, objects) == []


def test_a_part_that_fails_once_is_sent_again(objects: Objects, faults: FaultProxy, source: Path) -> None:
    failing = iter([True])
    faults.behave(Fault.STATUS, status=500, applies=lambda r: is_part(r, 2) and next(failing, False))
    objects.put("v1/x", source, deadline=60)
    assert [item.size for item in objects.list()] == [SIZE]


def test_256_mib_go_up_and_down_in_a_memory_that_does_not_grow_with_it(
    s3_server: S3Server, place: str, tmp_path: Path
) -> None:
    block = os.urandom(1 << 20)
    with (tmp_path / "source").open("wb") as file:
        for number in range(256):
            file.write(number.to_bytes(4) + block[4:])
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, place, str(tmp_path)],
        env={**os.environ, **s3_server.environ, "PYTHONPATH": str(ADDON)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) < 16 * 1024


class Broken(BytesIO):
    """The bytes of a network that fails after some of them."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() >= 3 * BLOCK:
            raise ConnectionResetError
        return super().read(size)


@pytest.mark.parametrize(
    ("body", "raised"),
    [(Broken(bytes(8 * BLOCK)), ConnectionResetError), (BytesIO(bytes(5)), IncompleteRead)],
)
def test_what_does_not_come_whole_leaves_no_file(
    body: BytesIO, raised: type[Exception], tmp_path: Path
) -> None:
    with pytest.raises(raised):
        save(body, 8 * BLOCK, lambda: tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_made_is_not_the_fault_of_the_bucket(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        save(BytesIO(b"12345"), 5, lambda: tmp_path / "missing" / "x")
    assert not isinstance(caught.value, BucketError)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
@pytest.mark.parametrize("size", [5, 3 * BLOCK])
def test_a_full_disk_is_not_the_fault_of_the_bucket(size: int, tmp_path: Path) -> None:
    link = tmp_path / "x"
    link.symlink_to("/dev/full")
    with pytest.raises(StoreError) as caught:
        save(BytesIO(bytes(size)), size, lambda: link)
    assert not isinstance(caught.value, BucketError)
    assert not link.is_symlink()


def test_a_received_file_that_was_renamed_stays(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"kept")
    with Received(path) as file:
        path.rename(tmp_path / "y")
        assert file.read() == b"kept"
    assert (tmp_path / "y").read_bytes() == b"kept"


def test_a_part_reads_like_a_file_of_its_own() -> None:
    made = Part(BytesIO(b"0123456789"), 3, 4)
    assert (made.read(3), made.read(3), made.read()) == (b"345", b"6", b"")
    assert (made.seek(-1, os.SEEK_END), made.read()) == (3, b"6")
    assert (made.seek(0), made.read(), made.tell()) == (0, b"3456", 4)


def test_two_parts_of_one_file_do_not_disturb_each_other() -> None:
    file = BytesIO(b"0123456789")
    one, two = Part(file, 0, 5), Part(file, 5, 5)
    assert (one.read(2), two.read(2), one.read(2), two.read(2)) == (b"01", b"56", b"23", b"78")
