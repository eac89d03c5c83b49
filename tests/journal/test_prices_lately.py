"""Costs that are remembered for those who ask the same again."""

from datetime import UTC, datetime
from typing import Any

from journal.events import event
from mitmcache.exchange import Usage
from mitmcache.journal import prices as module
from mitmcache.journal.event import Event
from mitmcache.journal.prices import Prices

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
CHAT = Usage(input_tokens=1000, output_tokens=200, total_tokens=1200)


def asked(**changes: Any) -> Event:
    return event(**{"began": BEGAN.timestamp(), **changes})


def test_what_is_remembered_is_the_cost_of_the_very_same() -> None:
    prices = Prices()
    changes: list[dict[str, Any]] = [
        {},
        {"model": "gpt-4o-mini"},
        {"service_tier": "flex", "model": "gpt-5"},
        {"model": "gpt-5"},
        {"began": BEGAN.timestamp() - 86400 * 900},
    ]
    for _ in range(2):
        for change in changes:
            for used in (CHAT, Usage(input_tokens=1000, output_tokens=201)):
                assert prices.price(asked(**change), used) == Prices().price(asked(**change), used)
    assert len(prices._lately) == 2 * len(changes)


def test_no_more_costs_are_remembered_than_may_be() -> None:
    prices = Prices()
    for number in range(module.LATELY + 5):
        prices.price(asked(), Usage(input_tokens=number, output_tokens=1))
    assert len(prices._lately) == module.LATELY
