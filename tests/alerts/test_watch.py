import math

import pytest

from journal.events import event
from mitmcache.alerts.rules import Rule, When
from mitmcache.alerts.watch import CALM, Notice, Watch
from mitmcache.journal.event import Cost, Event

ERRORS = Rule("errors", When.ERROR_RATIO, threshold=0.5, window=600.0, min_calls=4)
HITS = Rule("hits", When.HIT_RATIO, threshold=0.5, window=600.0, min_calls=4)
SPEND = Rule("spend", When.SPEND_PER_HOUR, threshold=10.0, window=1800.0)
STORE = Rule("store", When.STORE_DOWN, lasting=60.0)
BAD, GOOD = event(status=500), event()
HIT = event(word="HIT", tier="memory", dialled=False)
PAID = event(cost=Cost(0, 0, 4.0, 0))

CONDITIONS: list[tuple[str, Rule, list[Event], str]] = [
    ("enough failed", ERRORS, [BAD] * 3 + [GOOD], "3 of 4 calls over 10m failed, 75.0%, more than 50.0%"),
    ("half of them failed, which is not more", ERRORS, [BAD, GOOD] * 2, ""),
    ("too few calls to say", ERRORS, [BAD] * 3, ""),
    ("few hits", HITS, [HIT, GOOD, GOOD, GOOD], "1 of 4 calls over 10m were hits, 25.0%, less than 50.0%"),
    ("hits enough", HITS, [HIT, HIT, GOOD, GOOD], ""),
    ("no calls at all", HITS, [], ""),
    ("more spent than that in an hour", SPEND, [PAID] * 2, "16.00 dollars an hour over 30m, more than 10"),
    ("less spent", SPEND, [PAID], ""),
]


@pytest.mark.parametrize(
    ("rule", "events", "summary"), [pytest.param(*case[1:], id=case[0]) for case in CONDITIONS]
)
def test_when_a_rule_fires(rule: Rule, events: list[Event], summary: str) -> None:
    watch = Watch(math.inf, [rule])
    watch.note(events, 100.0)
    told = [(notice.rule, notice.status, notice.summary) for notice in watch.look(101.0)]
    assert told == ([(rule, "firing", summary)] if summary else [])


def test_it_is_told_once_and_once_again_when_it_is_over() -> None:
    watch = Watch(math.inf, [ERRORS])
    watch.note([BAD] * 4, 100.0)
    assert [notice.status for notice in watch.look(100.0)] == ["firing"]
    assert [watch.look(at) for at in range(101, 690, 10)] == [[]] * 59
    # its last call has left the window; that has to last
    begins = 100.0 + ERRORS.window + 10
    assert watch.look(begins) == watch.look(begins + CALM - 1) == []
    summary = "4 of 4 calls over 10m failed, 100.0%, more than 50.0%"
    lasted = begins - 100.0
    assert watch.look(begins + CALM) == [Notice(ERRORS, "resolved", summary, 0.0, lasted, CALM)]
    assert watch.look(begins + 2 * CALM) == []


def test_it_is_told_again_while_it_lasts() -> None:
    watch = Watch(300.0, [STORE])
    told = [at for at in range(0, 1000, 10) if watch.look(float(at), ["disk"])]
    assert told == [60, 360, 660, 960]


def test_a_store_has_to_be_down_for_some_time() -> None:
    watch = Watch(math.inf, [STORE])
    assert watch.look(0.0, ["disk"]) == watch.look(59.0, ["disk"]) == []
    assert watch.look(59.5) == []
    assert watch.look(61.0, ["disk"]) == []
    [notice] = watch.look(121.0, ["disk", "bucket"])
    assert (notice.summary, notice.value, notice.lasted) == ("bucket and disk cannot be used", 2, 60.0)


def test_what_comes_and_goes_is_one_alert() -> None:
    watch = Watch(math.inf, [STORE])
    watch.look(0.0, ["disk"])
    assert len(watch.look(60.0, ["disk"])) == 1
    for at in range(70, 1000, 10):
        assert watch.look(float(at), ["disk"] if at % 50 == 0 else []) == []


def test_rules_that_stay_are_not_forgotten_when_others_change() -> None:
    watch = Watch(math.inf, [ERRORS])
    watch.note([BAD] * 4, 100.0)
    assert len(watch.look(100.0)) == 1
    watch.watch(math.inf, [ERRORS, STORE])
    assert watch.look(101.0) == []
    watch.watch(math.inf, [])
    assert watch.look(102.0, ["disk"]) == []
