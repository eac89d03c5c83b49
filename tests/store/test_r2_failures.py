"""The bucket fails: lookups pause, and go on when it works again."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mitmcache.store import breaker, r2
from mitmcache.store.r2 import Skipped
from mitmcache.store.s3_errors import BucketError
from s3.faults import Fault, FaultProxy
from s3.stores import ABOUT, KEY, KEYS, Open, entry, failures, in_a_hurry, opening, until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE", 0.3)
    monkeypatch.setattr(breaker, "LONGEST_PAUSE", 0.6)
    monkeypatch.setattr(breaker, "WINDOW", 600.0)


@pytest.fixture
async def open_store(place: str, faults: FaultProxy, tmp_path: Path) -> AsyncIterator[Open]:
    async with opening(place, faults, tmp_path / "staging") as opened:
        yield opened


def pauses(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of lookups, in short."""
    words = {"pause: ": "pause", "go on": "go on", "uploaded when it works": "start"}
    lines = [record.getMessage() for record in caplog.records if record.name == r2.__name__]
    return [next(short for text, short in words.items() if text in line) for line in lines]


FAULTS = {
    "hang": {"fault": Fault.HANG},
    "refuse": {"fault": Fault.REFUSE},
    "status 500": {"fault": Fault.STATUS, "status": 500},
    "status 503": {"fault": Fault.STATUS, "status": 503, "code": "ServiceUnavailable"},
    "garbage": {"fault": Fault.GARBAGE},
    "slow": {"fault": Fault.DELAY, "seconds": 2.0},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_after_five_failures_the_bucket_is_left_alone_until_it_answers(
    open_store: Open, faults: FaultProxy, caplog: pytest.LogCaptureFixture, fault: dict[str, object]
) -> None:
    store = await open_store()
    await store.put(entry())
    faults.behave(**fault)  # type: ignore[arg-type]
    with in_a_hurry(store):
        kinds = [type(error) for error in await failures(store, 8)]
        assert kinds == [BucketError] * 5 + [Skipped] * 3
        assert store.statistics()["breaker"] == "open" and store.is_left_alone
        faults.behave()
    await until(lambda: store.statistics()["breaker"] == "closed")
    assert not store.is_left_alone
    assert await store.get(KEY, ABOUT) == b"a record"
    assert pauses(caplog) == ["pause", "go on"]


async def test_while_it_is_left_alone_only_the_probe_asks(open_store: Open, faults: FaultProxy) -> None:
    store = await open_store()
    faults.behave(Fault.STATUS, status=500)
    await failures(store, 5)
    faults.requests.clear()
    await failures(store, 50)
    await until(lambda: len(faults.requests) >= 2)
    assert {request.path.rpartition("/v1/")[2] for request in faults.requests} == {"control/generations"}
    assert store.statistics()["breaker"] == "open"


async def test_wrong_credentials_pause_it_with_the_first_lookup(
    open_store: Open, faults: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    store = await open_store()
    faults.behave(Fault.STATUS, status=403, code="AccessDenied")
    assert [type(error) for error in await failures(store, 2)] == [BucketError, Skipped]
    assert "the credentials were refused (AccessDenied)" in caplog.text


@pytest.mark.parametrize(("status", "code"), [(429, "TooManyRequests"), (503, "SlowDown")])
async def test_a_bucket_that_asks_for_fewer_requests_is_not_paused(
    open_store: Open, faults: FaultProxy, status: int, code: str
) -> None:
    store = await open_store()
    faults.behave(Fault.STATUS, status=status, code=code)
    assert [type(error) for error in await failures(store, 10)] == [BucketError] * 10
    assert store.statistics()["breaker"] == "closed"


async def test_misses_are_no_failures(open_store: Open) -> None:
    store = await open_store()
    assert [await store.get(key, ABOUT) for key in KEYS[:10]] == [None] * 10
    assert store.statistics()["breaker"] == "closed"


START = {
    "wrong key id": ({"AWS_ACCESS_KEY_ID": "AKHIDDEN"}, "the credentials were refused (InvalidAccessKeyId)"),
    "wrong secret": (
        {"AWS_SECRET_ACCESS_KEY": "hidden"},
        "the credentials were refused (SignatureDoesNotMatch)",
    ),
    "no such bucket": ({"at": "s3://no-such-bucket/p"}, "there is no such bucket"),
    "nobody there": (
        {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"},
        "it cannot be reached (connection refused)",
    ),
}


@pytest.mark.parametrize(("wrong", "said"), START.values(), ids=START)
async def test_what_is_wrong_at_the_start_is_said_in_one_line_and_uploads_fail_with_it(
    open_store: Open, caplog: pytest.LogCaptureFixture, wrong: dict[str, str], said: str
) -> None:
    caplog.set_level(logging.INFO)
    store = await open_store(**wrong)
    assert [type(error) for error in await failures(store, 3)] == [Skipped] * 3
    with pytest.raises(BucketError) as caught:
        await store.put(entry())
    assert said in str(caught.value)
    later = "; answers are kept on this machine and uploaded when it works"
    assert [record.getMessage() for record in caplog.records] == [f"mitmcache: {caught.value}{later}"]
    assert "hidden" not in caplog.text.lower()


async def test_a_bucket_that_is_down_at_the_start_is_used_when_it_comes_up(
    open_store: Open, faults: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    faults.behave(Fault.REFUSE)
    store = await open_store()
    faults.behave()
    await until(lambda: store.statistics()["breaker"] == "closed")
    assert await store.get(KEY, ABOUT) is None
    assert pauses(caplog) == ["start", "go on"]


async def test_a_put_does_not_wait_for_the_lookups_to_go_on(open_store: Open, faults: FaultProxy) -> None:
    store = await open_store()
    faults.behave(Fault.STATUS, status=500, applies=lambda request: request.method == "GET")
    await failures(store, 6)
    await store.put(entry())
