from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.events import event
from mitmcache.exchange import Usage
from mitmcache.journal.event import Cost, Event
from mitmcache.journal.ledgers import COLUMNS, Ledgers, Sums, dollars, sums_of

USED = Usage(input_tokens=11, output_tokens=7, cache_read_input_tokens=3, reasoning_output_tokens=2)
COST = Cost(0.25, 0.5, 0.75, 0.125)
KNOWN = Sums(1, 11, 7, 3, 0, 2, 0.75, 0.125, 0, 0)


def miss(**changes: Any) -> Event:
    return event(**{"usage": USED, "cost": COST, **changes})


def hit(**changes: Any) -> Event:
    return miss(**{"word": "HIT", "reason": "", "tier": "memory", "dialled": False, **changes})


def ledgers(*events: Event) -> Ledgers:
    made = Ledgers()
    for each in events:
        made.add(each)
    return made


def test_what_went_upstream_is_billed_and_what_hits_used_is_saved_and_both_were_served() -> None:
    told = ledgers(miss(), hit(), hit(word="STALE"))
    twice = KNOWN.less(Sums())
    twice.add(KNOWN)
    assert (told.billed, told.saved, told.served.calls) == (KNOWN, twice, 3)
    assert told.served.dollars == pytest.approx(told.billed.dollars + told.saved.dollars)
    assert told.hit_ratio == pytest.approx(2 / 3)


def test_a_call_that_nobody_pays_and_nobody_got_is_in_no_ledger() -> None:
    assert ledgers(event(dialled=False, status=504)) == Ledgers()
    assert Ledgers().hit_ratio is None


def test_a_stream_that_broke_off_is_billed_and_was_not_served() -> None:
    told = ledgers(miss(error="connection lost"))
    assert (told.billed.calls, told.served.calls) == (1, 0)


SUMS = [
    ("known", miss(), KNOWN),
    ("no usage told", event(), Sums(calls=1, unknown_usage=1, unknown_price=1)),
    ("no price known", event(usage=USED), Sums(1, 11, 7, 3, 0, 2, unknown_price=1)),
    ("a part of the usage", event(usage=Usage(output_tokens=7)), Sums(1, 0, 7, unknown_price=1)),
    ("refused", event(status=429), Sums(calls=1)),
    ("no answer came", event(status=0, error="reset"), Sums(calls=1, unknown_usage=1, unknown_price=1)),
    ("tokens that are only counted", event(dialect="anthropic.count_tokens"), Sums(calls=1)),
    (
        "a provider that never tells",
        event(dialect="anthropic.complete"),
        Sums(1, unknown_usage=1, unknown_price=1),
    ),
    ("free of charge", event(usage=USED, cost=Cost(0, 0, 0, 0)), Sums(1, 11, 7, 3, 0, 2)),
]


@pytest.mark.parametrize(("call", "sums"), [pytest.param(*case[1:], id=case[0]) for case in SUMS])
def test_what_is_unknown_is_counted_and_never_zero(call: Event, sums: Sums) -> None:
    assert sums_of(call) == sums


@pytest.mark.parametrize(
    ("sums", "said"),
    [
        (Sums(), "$0.00"),
        (Sums(calls=3, dollars=1.234), "$1.23"),
        (Sums(calls=5, dollars=1.234, unknown_price=4), "$1.23 + 4 calls of unknown price"),
        (Sums(calls=5, dollars=0.0, unknown_price=4), "$0.00 + 4 calls of unknown price"),
        (Sums(calls=1, unknown_price=1), "1 call of unknown price"),
        (Sums(calls=4000, unknown_price=4000), "4,000 calls of unknown price"),
    ],
)
def test_money_says_what_it_does_not_know(sums: Sums, said: str) -> None:
    assert sums.money == said


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (0, "$0.00"),
        (1234.5, "$1,234.50"),
        (0.05, "$0.05"),
        (0.01, "$0.01"),
        (0.0042, "$0.0042"),
        (0.004, "$0.004"),
        (0.0000154, "$0.000015"),
        (-0.5, "-$0.50"),
    ],
)
def test_small_amounts_keep_two_digits(amount: float, said: str) -> None:
    assert dollars(amount) == said


AMOUNTS = st.builds(Sums, **{name: st.integers(0, 1 << 40) for name in COLUMNS})


@given(AMOUNTS, AMOUNTS)
def test_what_has_come_since_is_what_was_added(before: Sums, more: Sums) -> None:
    after = before.less(Sums())
    after.add(more)
    assert after.less(before) == more
    assert Sums(**after.as_json()) == after  # type: ignore[arg-type]


def test_two_times_are_joined_ledger_by_ledger() -> None:
    told = ledgers(miss())
    told.join(ledgers(hit(), miss(error="lost")))
    assert told == ledgers(miss(), hit(), miss(error="lost"))
    assert told.as_json()["billed"]["calls"] == 2
