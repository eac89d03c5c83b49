from dataclasses import fields, replace
from typing import Any

import pytest

from journal.events import event
from mitmcache.exchange import Usage
from mitmcache.journal.event import Cost, Event
from mitmcache.journal.repeated import LONGEST, MOST, OWN, Repeated
from mitmcache.journal.trace import Parent

HIT = event(
    word="HIT",
    reason="",
    tier="memory",
    dialled=False,
    usage=Usage(input_tokens=11, output_tokens=7),
    cost=Cost(0.1, 0.2, 0.3, 0.0),
)
ITS_OWN: dict[str, Any] = {
    "id": "another",
    "began": 2_000_000.0,
    "duration": 0.25,
    "decided": 0.0,
    "first_byte": None,
    "received": 0.125,
    "parent": Parent("a" * 32, "b" * 16, 1, ""),
}
OTHERWISE: dict[str, Any] = {"word": "STALE", "differs": ("model",), "usage": Usage(), "cost": None}


def another(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else f"{value}x"


class Made:
    """What is made of an event is that event."""

    def __init__(self) -> None:
        self.times = 0
        self.repeated = Repeated(self._make)

    def _make(self, told: Event) -> Event:
        self.times += 1
        return told

    def of(self, told: Event) -> Event:
        return self.repeated.of(told)


def test_hits_that_are_alike_have_it_made_once() -> None:
    made = Made()
    assert ITS_OWN.keys() == set(OWN)
    for told in (HIT, replace(HIT), replace(HIT, **ITS_OWN)):
        assert made.of(told) is HIT
    assert made.times == 1


@pytest.mark.parametrize("name", [each.name for each in fields(Event) if each.name not in OWN])
def test_a_hit_that_differs_in_anything_else_has_its_own(name: str) -> None:
    made = Made()
    made.of(HIT)
    changed: Any = OTHERWISE[name] if name in OTHERWISE else another(getattr(HIT, name))
    told = replace(HIT, **{name: changed})
    assert made.of(told) is told
    assert made.of(HIT) == HIT


def test_a_miss_is_not_remembered() -> None:
    made = Made()
    first, second = event(), event()
    assert (made.of(first), made.of(second), made.times) == (first, second, 2)


def test_no_more_are_remembered_than_so_many_and_the_oldest_go_first() -> None:
    made = Made()
    for number in range(MOST + 1):
        made.of(replace(HIT, key=str(number)))
    made.of(replace(HIT, key="1"))
    assert made.times == MOST + 1
    made.of(replace(HIT, key="0"))
    assert made.times == MOST + 2


def test_long_texts_are_not_remembered() -> None:
    made = Made()
    for _ in range(2):
        made.of(replace(HIT, response_model="x" * LONGEST))
    assert made.times == 2
