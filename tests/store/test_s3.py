"""Against a real S3 server. What happens when it fails is in test_s3_faults.py."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mitmcache.store.base import LARGE, Large, StoreError
from mitmcache.store.location import parse
from mitmcache.store.s3 import CONDITIONS, NOT_MODIFIED, Fetched, Objects
from mitmcache.store.s3_errors import BucketError, Kind
from s3.faults import Fault, FaultProxy
from s3.server import S3Server, environ

SECONDS = 60.0


@pytest.fixture
def objects(s3_server: S3Server, place: str) -> Objects:
    return Objects(parse(f"{place}/llm", s3_server.environ), s3_server.environ)


def read(objects: Objects, name: str) -> bytes | None:
    found = objects.get(name, deadline=SECONDS)
    if found is None:
        return None
    assert isinstance(found, Fetched)
    assert isinstance(found.body, bytes)
    return found.body


def refused(work: object, **condition: object) -> Kind:
    with pytest.raises(BucketError) as caught:
        work(**condition)  # type: ignore[operator]
    return caught.value.kind


@pytest.mark.parametrize("body", [b"", b"x", bytes(range(256)) * 300, bytes(LARGE)], ids=len)
def test_what_is_put_is_got_with_its_etag(objects: Objects, body: bytes) -> None:
    etag = objects.put("v1/x", body, deadline=SECONDS)
    assert objects.get("v1/x", deadline=SECONDS) == Fetched(body, etag)


def test_a_missing_object_is_none(objects: Objects) -> None:
    assert objects.get("v1/x", deadline=SECONDS) is None
    assert objects.read_head("v1/x", 10) is None


def test_an_object_that_has_not_changed_is_not_sent_again(objects: Objects) -> None:
    etag = objects.put("v1/x", b"one", deadline=SECONDS)
    assert objects.get("v1/x", deadline=SECONDS, etag=etag) is NOT_MODIFIED
    objects.put("v1/x", b"two", deadline=SECONDS)
    found = objects.get("v1/x", deadline=SECONDS, etag=etag)
    assert isinstance(found, Fetched)
    assert found.body == b"two"


@pytest.mark.parametrize(("size", "head"), [(1, b"h"), (5, b"hello"), (100, b"hello")])
def test_the_beginning_of_an_object_is_read(objects: Objects, size: int, head: bytes) -> None:
    objects.put("v1/x", b"hello", deadline=SECONDS)
    assert objects.read_head("v1/x", size) == head


def test_the_beginning_of_an_empty_object_is_empty(objects: Objects) -> None:
    objects.put("v1/x", b"", deadline=SECONDS)
    assert objects.read_head("v1/x", 10) == b""


def test_a_large_object_comes_as_a_file_that_goes_when_it_is_closed(objects: Objects, tmp_path: Path) -> None:
    objects.put("v1/x", bytes(LARGE) + b"end", deadline=SECONDS)
    staged = tmp_path / "staged"
    found = objects.get("v1/x", deadline=SECONDS, stage=lambda: staged)
    assert isinstance(found, Fetched)
    assert isinstance(found.body, Large)
    with found.body.file as file:
        assert found.body.size == LARGE + 3
        assert file.read() == bytes(LARGE) + b"end"
        assert staged.stat().st_mode & 0o077 == 0
    assert not staged.exists()


def test_a_large_object_without_a_place_for_it_is_refused(objects: Objects) -> None:
    objects.put("v1/x", bytes(LARGE + 1), deadline=SECONDS)
    with pytest.raises(StoreError, match="larger than it may be"):
        objects.get("v1/x", deadline=SECONDS)


def test_an_object_beyond_the_given_size_is_refused(objects: Objects, tmp_path: Path) -> None:
    objects.put("v1/x", b"12345", deadline=SECONDS)
    with pytest.raises(StoreError, match="larger than it may be"):
        objects.get("v1/x", deadline=SECONDS, stage=lambda: tmp_path / "x", most=4)
    assert objects.get("v1/x", deadline=SECONDS, stage=lambda: tmp_path / "x", most=5)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_put_from_its_start_and_left_open(objects: Objects, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"from a file")
    objects.put("v1/path", path, deadline=SECONDS)
    with path.open("rb") as file:
        file.read(5)
        objects.put("v1/open", file, deadline=SECONDS)
        assert not file.closed
    assert read(objects, "v1/path") == read(objects, "v1/open") == b"from a file"


def test_a_file_that_is_gone_is_not_the_fault_of_the_bucket(objects: Objects, tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        objects.put("v1/x", tmp_path / "gone", deadline=SECONDS)
    assert not isinstance(caught.value, BucketError)


def test_an_object_is_written_once_if_there_is_to_be_none(objects: Objects) -> None:
    objects.put("v1/x", b"one", deadline=SECONDS, if_none_match=True)
    put = objects.put
    assert refused(put, name="v1/x", body=b"two", deadline=SECONDS, if_none_match=True) is Kind.CONFLICT
    assert read(objects, "v1/x") == b"one"


def test_an_object_is_replaced_only_by_who_knows_it(objects: Objects) -> None:
    first = objects.put("v1/x", b"one", deadline=SECONDS)
    objects.put("v1/x", b"two", deadline=SECONDS, if_match=first)
    put = objects.put
    assert refused(put, name="v1/x", body=b"three", deadline=SECONDS, if_match=first) is Kind.CONFLICT
    assert read(objects, "v1/x") == b"two"


def test_of_many_who_write_at_once_one_wins(objects: Objects) -> None:
    def attempt(number: int, name: str) -> bool:
        try:
            objects.put(name, f"{number}".encode(), deadline=SECONDS, if_none_match=True)
        except BucketError as error:
            assert error.kind is Kind.CONFLICT
            return False
        return True

    with ThreadPoolExecutor(32) as pool:
        for turn in range(3):
            name = f"v1/race{turn}"
            won = list(pool.map(attempt, range(32), [name] * 32))
            assert won.count(True) == 1
            assert read(objects, name) == f"{won.index(True)}".encode()


def test_no_change_is_lost_by_who_replaces_only_what_he_has_read(objects: Objects) -> None:
    objects.put("v1/n", b"0", deadline=SECONDS)

    def add(_: int) -> None:
        while True:
            found = objects.get("v1/n", deadline=SECONDS)
            assert isinstance(found, Fetched)
            assert isinstance(found.body, bytes)
            more = f"{int(found.body) + 1}".encode()
            try:
                objects.put("v1/n", more, deadline=SECONDS, if_match=found.etag)
            except BucketError as error:
                assert error.kind is Kind.CONFLICT
            else:
                return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(24)))
    assert read(objects, "v1/n") == b"24"


def test_objects_are_listed_by_prefix_with_their_size_and_age(objects: Objects) -> None:
    before = time.time()
    for name in ("v1/a/1", "v1/a/2", "v1/b/1"):
        objects.put(name, b"x" * len(name), deadline=SECONDS)
    listed = list(objects.list("v1/a/"))
    assert [(item.name, item.size) for item in listed] == [("v1/a/1", 6), ("v1/a/2", 6)]
    assert all(before - 2 < item.modified < time.time() + 2 for item in listed)
    assert [item.name for item in objects.list()] == ["v1/a/1", "v1/a/2", "v1/b/1"]


def test_what_is_outside_the_prefix_is_not_listed(objects: Objects, place: str, s3_server: S3Server) -> None:
    for other in (place, f"{place}/llm2"):
        Objects(parse(other, s3_server.environ), s3_server.environ).put("x", b"", deadline=SECONDS)
    objects.put("y", b"", deadline=SECONDS)
    assert [item.name for item in objects.list()] == ["y"]


def test_more_than_a_page_is_listed_and_more_than_a_batch_deleted(objects: Objects) -> None:
    names = [f"v1/many/{number:04}" for number in range(1001)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: objects.put(name, b"", deadline=SECONDS), names))
    assert [item.name for item in objects.list("v1/many/")] == names
    assert objects.delete(iter(names)) == 1001
    assert list(objects.list("v1/many/")) == []


def test_deleting_what_is_not_there_is_no_failure(objects: Objects) -> None:
    objects.put("v1/x", b"", deadline=SECONDS)
    assert objects.delete(["v1/x", "v1/gone"]) == 2
    assert objects.delete([]) == 0


def test_a_server_that_honours_conditions_is_known_by_it_however_often_it_is_asked(objects: Objects) -> None:
    assert objects.supports_conditions()
    assert objects.supports_conditions()
    assert [item.name for item in objects.list()] == [CONDITIONS]


def test_many_may_find_that_out_at_once(objects: Objects) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: objects.supports_conditions(), range(8)))


@pytest.mark.parametrize("ignored", ["if-none-match", "if-match"])
def test_a_server_that_ignores_a_condition_is_found_out(place: str, ignored: str, faults: FaultProxy) -> None:
    faults.behave(Fault.AGREE, applies=lambda request: ignored in request.headers)
    variables = environ(faults.endpoint)
    assert not Objects(parse(place, variables), variables).supports_conditions()
