"""A proxy that is killed at any moment loses nothing that it has counted as stored."""

import os
import random
import threading
from contextlib import ExitStack

import httpx
import pytest

from e2e.bucket import HIT, MISS, BucketProxy, Fleet, Got, Questions, ask, ask_all, drained
from e2e.client import client
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange
from s3.faults import Fault, FaultProxy

KILLS = int(os.environ.get("MITMCACHE_KILLS", "4"))
CLIENTS = 4
BATCH = 12
CHECKED = 12
"""Of the answers known to be stored, so many are asked for after each kill; all of them at the end."""

pytestmark = pytest.mark.timeout(300 + 15 * KILLS)


@pytest.fixture
def fleet(fleet: Fleet, faults: FaultProxy) -> Fleet:
    fleet.endpoint = faults.endpoint
    return fleet


def kill_under_load(proxy: BucketProxy, asked: list[Exchange], after: int) -> list[Got]:
    """Kills the proxy once `after` of the answers have come; what the clients got before."""
    got: list[Got] = []
    enough = threading.Event()

    def work(share: list[Exchange], through: httpx.Client) -> None:
        try:
            for exchange in share:
                got.append(ask(through, exchange))
                if len(got) >= after:
                    enough.set()
        except httpx.TransportError:  # the kill
            pass
        finally:
            enough.set()

    with ExitStack() as stack:
        each = [stack.enter_context(client(proxy)) for _ in range(CLIENTS)]
        threads = [
            threading.Thread(target=work, args=(asked[number::CLIENTS], through))
            for number, through in enumerate(each)
        ]
        for thread in threads:
            thread.start()
        enough.wait(100)
        proxy.kill9()
        for thread in threads:
            thread.join(100)
    return got


def test_kills_at_random_moments_lose_nothing_that_was_stored(
    fleet: Fleet, upstream: ScriptedUpstream, faults: FaultProxy, word: str
) -> None:
    """Uploads are slowed down, so that at every kill some are on their way and others wait."""
    faults.behave(Fault.DELAY, seconds=0.2, applies=lambda request: request.method == "PUT")
    chance = random.Random(word)
    questions = Questions(upstream)
    proxy = fleet.proxy("one")
    stored: list[Exchange] = []
    for number in range(KILLS):
        known = chance.sample(stored, min(CHECKED, len(stored)))
        assert ask_all(proxy, known, CLIENTS) == [HIT] * len(known)
        batch = questions.several(f"{word}k{number}a", BATCH)
        assert ask_all(proxy, batch, CLIENTS) == [MISS] * BATCH
        found = proxy.wait_stats(lambda stats: stats["stored"] == BATCH)
        assert found["corrupt"] == 0
        stored += batch
        under_way = questions.several(f"{word}k{number}b", 2 * BATCH)
        got = kill_under_load(proxy, under_way, chance.randrange(2 * BATCH))
        assert got == [MISS] * len(got)
        proxy.start()
    faults.behave()
    assert drained(proxy)["corrupt"] == 0
    assert ask_all(proxy, stored, CLIENTS) == [HIT] * len(stored)
    assert proxy.stats()["corrupt"] == 0
    assert len(fleet.objects()) >= len(stored)
    another = fleet.proxy("another")
    assert ask_all(another, stored, CLIENTS) == [HIT] * len(stored)
    assert another.stats()["corrupt"] == 0
    assert not [exchange for exchange in stored if questions.asked(exchange) != 1]
