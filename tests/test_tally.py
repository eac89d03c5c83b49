import orjson

from mitmcache.reasons import Reason
from mitmcache.tally import Tally


def test_a_new_tally_has_counted_nothing() -> None:
    assert Tally().as_json() == {
        "hits": 0,
        "misses": 0,
        "bypassed": {},
        "dropped": {},
        "stored": 0,
        "corrupt": 0,
    }


def test_reasons_are_counted_by_the_word_that_headers_and_logs_have() -> None:
    tally = Tally(hits=1, misses=2, stored=3, corrupt=4)
    tally.bypassed[Reason.SKIP] += 2
    tally.dropped[Reason.QUEUE_FULL] += 1
    assert orjson.loads(orjson.dumps(tally.as_json())) == {
        "hits": 1,
        "misses": 2,
        "bypassed": {"skip": 2},
        "dropped": {"queue-full": 1},
        "stored": 3,
        "corrupt": 4,
    }


def test_tallies_do_not_share_their_counts() -> None:
    one, other = Tally(), Tally()
    one.bypassed[Reason.OFF] += 1
    assert not other.bypassed
