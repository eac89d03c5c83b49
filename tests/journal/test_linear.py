import random
from collections.abc import Mapping
from decimal import Decimal
from types import SimpleNamespace

import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, Provider
from hypothesis import given
from hypothesis import strategies as st

from journal.events import event
from mitmcache.journal import prices
from mitmcache.journal.linear import PART_OF, Amounts, Learnt, fit, learn
from mitmcache.journal.prices import LISTED

COUNTS = {"input_tokens": 7, "output_tokens": 3, "cache_read_tokens": 2}
PLAIN = SimpleNamespace(input_mtok=Decimal(2), output_mtok=None)
NUMBERS = st.integers(0, 1 << 40)


def bill(counts: Mapping[str, float]) -> Amounts:
    """A cent for the call, and so much a token."""
    each = {"input_tokens": "0.15", "output_tokens": "2", "cache_read_tokens": "-0.05"}
    parts = (Decimal(count) * Decimal(each.get(name, 0)) for name, count in counts.items())
    return sum(parts, Decimal(0)) / 1_000_000 + Decimal("0.01"), Decimal(
        counts.get("output_tokens", 0)
    ) * 2 / 1_000_000


class Asked:
    """`bill`, and what it was asked."""

    def __init__(self) -> None:
        self.counts: list[Mapping[str, float]] = []

    def __call__(self, counts: Mapping[str, float]) -> Amounts | None:
        self.counts.append(counts)
        return bill(counts)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_what_is_learnt_from_some_numbers_is_right_for_all(taken: int, given_: int, read: int) -> None:
    linear = learn(bill, COUNTS)
    counts = {"input_tokens": taken, "output_tokens": given_, "cache_read_tokens": read}
    assert linear and linear.of(counts) == bill(counts)


def test_who_has_learnt_does_not_ask_again() -> None:
    learnt, asked = Learnt(), Asked()
    assert learnt.of(PLAIN, {"input_tokens": 5, "output_tokens": 1}, asked) == bill(
        {"input_tokens": 5, "output_tokens": 1}
    )
    number = len(asked.counts)
    assert learnt.of(PLAIN, {"input_tokens": 9, "output_tokens": 8}, asked) == bill(
        {"input_tokens": 9, "output_tokens": 8}
    )
    assert len(asked.counts) == number


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param({"input_tokens": 9, "output_tokens": 0}, id="one is none now"),
        pytest.param({"input_tokens": 9}, id="one is not said"),
        pytest.param({"input_tokens": 9, "output_tokens": 8, "cache_read_tokens": 1}, id="one more is said"),
        pytest.param({"input_tokens": 1, "output_tokens": 8, "cache_read_tokens": 2}, id="more than all"),
        pytest.param({"input_tokens": 9, "output_tokens": 8, "web_searches": 1}, id="no tokens"),
    ],
)
def test_other_counts_are_asked_for(counts: Mapping[str, float]) -> None:
    learnt, asked = Learnt(), Asked()
    learnt.of(PLAIN, {"input_tokens": 5, "output_tokens": 1}, asked)
    number = len(asked.counts)
    assert learnt.of(PLAIN, counts, asked) == bill(counts)
    assert len(asked.counts) > number


@pytest.mark.parametrize("other", [None, SimpleNamespace(input_mtok="tiers"), SimpleNamespace(a=Decimal(1))])
def test_other_prices_are_asked_for(other: object) -> None:
    learnt, asked = Learnt(), Asked()
    learnt.of(PLAIN, COUNTS, asked)
    number = len(asked.counts)
    learnt.of(other, COUNTS, asked)
    assert len(asked.counts) > number


def test_what_cannot_be_told_is_not_told() -> None:
    assert learn(lambda counts: None, COUNTS) is None
    assert Learnt().of(PLAIN, COUNTS, lambda counts: None) is None


@pytest.mark.parametrize(
    ("counts", "fits"),
    [
        ({}, True),
        ({"input_tokens": 2, "cache_read_tokens": 1, "cache_write_tokens": 1}, True),
        ({"input_tokens": 2, "cache_read_tokens": 1, "cache_write_tokens": 2}, False),
        ({"output_tokens": 1, "output_reasoning_tokens": 2}, False),
        ({"cache_read_tokens": 1}, False),
        ({"input_tokens": 1, "audio_seconds": 0.0}, True),
        ({"input_tokens": 1, "audio_seconds": 0.5}, False),
    ],
)
def test_parts_are_no_more_than_their_whole(counts: Mapping[str, float], fits: bool) -> None:
    assert fit(counts) is fits


def _said(chance: random.Random) -> Mapping[str, float]:
    taken, given_ = chance.randrange(1, 3_000_000), chance.randrange(1, 200_000)
    counts = {"input_tokens": taken, "output_tokens": given_}
    for part, whole in PART_OF.items():
        if chance.random() < 0.6:
            counts[part] = chance.randrange(counts[whole] // 2) if chance.random() < 0.8 else 0
    if chance.random() < 0.1:
        del counts[chance.choice([*counts])]
    return counts


def _told(ask: object, *arguments: object) -> object:
    try:
        return ask(*arguments)  # type: ignore[operator]
    except ValueError:
        return "contradictory"


@pytest.mark.parametrize("provider", sorted(set(LISTED.values())))
def test_all_that_is_listed_costs_what_the_list_says(provider: str) -> None:
    """Of every model, for whatever a provider may tell of tokens."""
    chance, learnt, began = random.Random(provider), Learnt(), event()
    found: Provider = next(each for each in get_snapshot().providers if each.id == provider)

    def compare(model: ModelInfo) -> None:
        def calculate(counts: Mapping[str, float]) -> Amounts | None:
            return prices._calculated((found, model), began, counts)

        listed = model.get_prices(prices._began(began))
        for counts in (_said(chance) for _ in range(4)):
            assert _told(learnt.of, listed, counts, calculate) == _told(calculate, counts), (model.id, counts)

    for model in found.models:
        compare(model)
