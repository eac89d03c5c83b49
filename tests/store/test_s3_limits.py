import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from mitmcache.store import s3_limits
from mitmcache.store.base import LARGE, Large
from mitmcache.store.location import parse
from mitmcache.store.s3 import Fetched, Objects
from mitmcache.store.s3_errors import BucketError, Kind
from mitmcache.store.s3_limits import MOST, RATE, TooMuch, within
from s3 import late
from s3.faults import Fault, FaultProxy
from s3.server import environ


@pytest.fixture
def objects(place: str, faults: FaultProxy) -> Iterator[Objects]:
    """Of a real server, behind a proxy that makes it slow."""
    variables = environ(faults.endpoint)
    made = Objects(parse(place, variables), variables)
    yield made
    made.close()


def test_without_a_limit_a_call_waits_as_long_as_it_says() -> None:
    assert s3_limits.wait(7.0) == 7.0
    s3_limits.took(MOST + 1)


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time passes."""
    monkeypatch.setattr(s3_limits, "time", SimpleNamespace(monotonic=lambda: 1000.0))


@pytest.mark.usefixtures("still")
def test_within_a_limit_a_call_waits_no_longer_than_is_left() -> None:
    with within(100.0):
        assert s3_limits.wait(7.0) == 7.0
        assert s3_limits.wait(200.0) == 100.0


def test_when_nothing_is_left_no_call_is_begun() -> None:
    with within(0.0), pytest.raises(TimeoutError):
        s3_limits.wait(7.0)


def test_the_limit_ends_with_its_block_and_the_outer_one_holds_again() -> None:
    with within(100.0) as outer:
        with within(0.0) as inner:
            assert s3_limits.current() is inner
        assert s3_limits.current() is outer
    assert s3_limits.current() is None


def test_the_limit_is_of_its_thread_alone() -> None:
    seen: list[object] = []
    with within(0.0):
        other = threading.Thread(target=lambda: seen.append(s3_limits.current()))
        other.start()
        other.join()
    assert seen == [None]


def test_what_comes_into_memory_earns_no_time_and_is_bounded() -> None:
    with within(100.0) as limit:
        s3_limits.took(MOST)
        assert limit.left() <= 100
        with pytest.raises(TooMuch):
            s3_limits.took(1)


@pytest.mark.usefixtures("still")
def test_what_comes_into_a_file_earns_a_second_for_each_32_mib() -> None:
    with within(100.0) as limit:
        s3_limits.streaming()
        s3_limits.took(10 * RATE)
        assert limit.left() == 110.0


def test_a_large_object_that_stalls_is_cut_off_and_leaves_no_file(
    objects: Objects, faults: FaultProxy, tmp_path: Path
) -> None:
    objects.put("v1/large", bytes(LARGE + 1), deadline=60)
    faults.behave(Fault.STALL)
    with pytest.raises(BucketError) as caught:
        objects.get("v1/large", deadline=1.0, stage=lambda: tmp_path / "x")
    assert caught.value.kind is Kind.TIMEOUT
    assert list(tmp_path.iterdir()) == []


def test_a_large_object_that_keeps_coming_has_longer_than_the_deadline(
    objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late.turn_in_the_middle(monkeypatch)
    objects.put("v1/large", bytes(LARGE + 1), deadline=60)
    found = objects.get("v1/large", deadline=late.SECONDS, stage=lambda: tmp_path / "x")
    assert isinstance(found, Fetched)
    assert isinstance(found.body, Large)
    with found.body.file as file:
        assert len(file.read()) == LARGE + 1


def test_a_small_one_that_is_slow_has_not(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    late.turn_in_the_middle(monkeypatch)
    objects.put("v1/x", bytes(LARGE), deadline=60)
    with pytest.raises(BucketError) as caught:
        objects.get("v1/x", deadline=late.SECONDS)
    assert caught.value.kind is Kind.TIMEOUT
