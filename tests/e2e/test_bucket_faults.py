"""Whatever the bucket does, calls go on as if it were not there, and nothing that waits for it is lost."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from e2e.bucket import HIT, MISS, PATIENT, BucketProxy, Fleet, Got, Questions, ask_all, drained, running_fleet
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange
from s3.faults import Fault, FaultProxy
from s3.server import S3Server

FAULTS: dict[str, dict[str, Any]] = {
    "refuses": {"fault": Fault.REFUSE},
    "hangs": {"fault": Fault.HANG},
    "fails": {"fault": Fault.STATUS, "status": 500, "code": "InternalError"},
    "denies": {"fault": Fault.STATUS, "status": 403, "code": "AccessDenied"},
    "throttles": {"fault": Fault.STATUS, "status": 429, "code": "TooManyRequests"},
    "talks garbage": {"fault": Fault.GARBAGE},
    "is slow": {"fault": Fault.DELAY, "seconds": 2},
    "cuts off": {"fault": Fault.TRUNCATED},
}
COUNT = 24

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def fleet(fleet: Fleet, faults: FaultProxy) -> Fleet:
    fleet.endpoint = faults.endpoint
    fleet.lookup_timeout = "500ms"
    return fleet


def heal(faults: FaultProxy) -> None:
    """As a server that is started anew: what hangs on the old one is cut off."""
    faults.behave(Fault.REFUSE)
    faults.behave()


def unanswered(proxy: BucketProxy) -> int:
    """Lookups to which the bucket gave no answer in time, or was not asked for one."""
    counts = proxy.stats()["bucket"]
    return int(counts["timeouts"] + counts["failures"] + counts["skipped"])


def all_arrive(fleet: Fleet, proxy: BucketProxy, stored: list[Exchange]) -> None:
    """In the bucket, and whole: they are on the proxy's disk."""
    drained(proxy)
    assert len(fleet.objects()) == len(stored)
    fleet.lookup_timeout = PATIENT
    assert ask_all(fleet.proxy("another"), stored) == [HIT] * len(stored)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bucket_in_trouble_from_the_start_costs_no_call(
    fleet: Fleet, upstream: ScriptedUpstream, faults: FaultProxy, word: str, fault: str
) -> None:
    faults.behave(**FAULTS[fault])
    proxy = fleet.proxy("one", ready=False)
    asked = Questions(upstream).several(word, COUNT)
    assert ask_all(proxy, asked) == [MISS] * COUNT
    assert ask_all(proxy, asked) == [HIT] * COUNT
    proxy.wait_stats(lambda stats: stats["stored"] == COUNT)
    assert fault in ("is slow", "cuts off") or proxy.stats()["upload_pending"] == COUNT
    heal(faults)
    all_arrive(fleet, proxy, asked)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bucket_that_gets_into_trouble_under_load_costs_no_call(
    fleet: Fleet, upstream: ScriptedUpstream, faults: FaultProxy, word: str, fault: str
) -> None:
    """It begins in the middle of the first batch; the second is asked while it lasts."""
    proxy = fleet.proxy("one")
    questions = Questions(upstream)
    before, during = questions.several(f"{word}a", 2 * COUNT), questions.several(f"{word}b", COUNT)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask_all, proxy, before)
        proxy.wait_stats(lambda stats: len(upstream.seen) >= COUNT)
        faults.behave(**FAULTS[fault])
        assert asking.result() == [MISS] * (2 * COUNT)
    earlier = unanswered(proxy)
    assert ask_all(proxy, during) == [MISS] * COUNT
    assert fault == "cuts off" or unanswered(proxy) - earlier == COUNT
    assert ask_all(proxy, before + during) == [HIT] * (3 * COUNT)
    proxy.wait_stats(lambda stats: stats["stored"] == 3 * COUNT)
    heal(faults)
    all_arrive(fleet, proxy, before + during)


def test_a_server_that_is_stopped_and_started_again_gets_all(
    upstream: ScriptedUpstream, confdir: Path, tmp_path: Path, word: str
) -> None:
    with S3Server(tmp_path / "s3") as server:
        bucket = server.create()
        with running_fleet(upstream, confdir, tmp_path, server, bucket) as fleet:
            proxy = fleet.proxy("one")
            questions = Questions(upstream)
            before, without = questions.several(f"{word}a", COUNT), questions.several(f"{word}b", COUNT)
            assert ask_all(proxy, before) == [MISS] * COUNT
            server.stop()
            assert ask_all(proxy, without) == [MISS] * COUNT
            assert ask_all(proxy, before + without) == [HIT] * (2 * COUNT)
            proxy.wait_stats(lambda stats: stats["stored"] == 2 * COUNT)
            server.start()
            all_arrive(fleet, proxy, before + without)


def test_each_pause_is_said_once_each_way(
    fleet: Fleet, upstream: ScriptedUpstream, faults: FaultProxy, word: str
) -> None:
    fleet.lookup_timeout = PATIENT  # or a lookup that is slow is a pause of its own
    proxy = fleet.proxy("one")
    questions = Questions(upstream)
    assert ask_all(proxy, questions.several(f"{word}a", 4)) == [MISS] * 4
    drained(proxy, 4)
    faults.behave(Fault.STATUS)
    assert ask_all(proxy, questions.several(f"{word}b", COUNT)) == [MISS] * COUNT
    proxy.wait_line("uploads to the bucket pause")
    proxy.wait_line("lookups in the bucket pause")
    heal(faults)
    drained(proxy)
    proxy.wait_line("uploads to the bucket go on")
    proxy.wait_stats(lambda stats: stats["bucket"]["breaker"] == "closed", 60)
    # the purges have a pace of their own, and may not have noticed anything
    said = [*proxy.lines_with("uploads to the bucket"), *proxy.lines_with("lookups in the bucket")]
    assert len(said) == 4, proxy.log


def test_a_restart_while_the_bucket_is_away_keeps_what_waits(
    fleet: Fleet, upstream: ScriptedUpstream, faults: FaultProxy, word: str
) -> None:
    faults.behave(Fault.REFUSE)
    proxy = fleet.proxy("one", ready=False)
    asked = Questions(upstream).several(word, COUNT)
    assert ask_all(proxy, asked) == [MISS] * COUNT
    assert proxy.stop() == 0
    proxy.start()
    assert proxy.stats()["upload_pending"] == COUNT
    heal(faults)
    all_arrive(fleet, proxy, asked)


def test_a_stop_uploads_what_there_is_time_for(
    fleet: Fleet, upstream: ScriptedUpstream, faults: FaultProxy, word: str
) -> None:
    faults.behave(Fault.DELAY, seconds=0.3, applies=lambda request: request.method == "PUT")
    proxy = fleet.proxy("one")
    asked = Questions(upstream).several(word, 3)  # in a few seconds, also on a busy machine
    assert ask_all(proxy, asked) == [MISS] * 3
    assert proxy.stop() == 0
    assert len(fleet.objects()) == 3


def test_what_is_asked_of_a_hanging_bucket_ends_with_the_lookup_deadline(
    fleet: Fleet, upstream: ScriptedUpstream, faults: FaultProxy, word: str
) -> None:
    """Judged by the bucket's own counts, of a deadline far below that of anything else."""
    proxy = fleet.proxy("one", llm_lookup_timeout="2s")
    exchange = Questions(upstream).new(word)
    before = proxy.stats()["bucket"]
    faults.behave(Fault.HANG)
    got: list[Got] = ask_all(proxy, [exchange], clients=1)
    assert got == [MISS]
    counts = proxy.stats()["bucket"]
    assert [counts[name] - before[name] for name in ("timeouts", "failures")] == [1, 0]
