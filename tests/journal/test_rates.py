from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.exchange import Usage
from mitmcache.journal.event import Cost
from mitmcache.journal.rates import PRICES, Rate, cost, first, parse

KNOWN = frozenset({"openai", "anthropic"})
RATE = Rate(input=1.0, output=4.0, cached_input=0.25, cache_write=2.0, cache_write_1h=3.0)
M = 1_000_000

COSTS = [
    ("input and output", RATE, Usage(input_tokens=2 * M, output_tokens=M), Cost(2, 4, 6, 0)),
    (
        "read from the provider's cache",
        RATE,
        Usage(input_tokens=2 * M, output_tokens=0, cache_read_input_tokens=M),
        Cost(1.25, 0, 1.25, 0.75),
    ),
    (
        "written to it, some of it for an hour",
        RATE,
        Usage(
            input_tokens=3 * M,
            output_tokens=0,
            cache_creation_input_tokens=2 * M,
            cache_creation_1h_input_tokens=M,
        ),
        Cost(6, 0, 6, -3),
    ),
    (
        "no price of its own for the cache",
        Rate(input=1.0, output=1.0),
        Usage(input_tokens=2 * M, output_tokens=0, cache_read_input_tokens=M, cache_creation_input_tokens=M),
        Cost(2, 0, 2, 0),
    ),
    (
        "audio",
        Rate(input=1.0, output=1.0, audio_input=10.0, audio_output=20.0),
        Usage(input_tokens=2 * M, output_tokens=2 * M, audio_input_tokens=M, audio_output_tokens=M),
        Cost(11, 21, 32, 0),
    ),
    (
        "audio at the price of text",
        Rate(input=1.0, output=1.0),
        Usage(input_tokens=M, output_tokens=M, audio_input_tokens=M),
        Cost(1, 1, 2, 0),
    ),
    (
        "by the call",
        Rate(input=0.0, output=0.0, call=0.5),
        Usage(input_tokens=1, output_tokens=1),
        Cost(0, 0, 0.5, 0),
    ),
    ("by the image", Rate(image=0.04), Usage(images=3), Cost(0, 0, 0.12, 0)),
    ("at home", Rate(input=0.0, output=0.0), Usage(input_tokens=9, output_tokens=9), Cost(0, 0, 0, 0)),
    ("an embedding", Rate(input=1.0), Usage(input_tokens=M), Cost(1, 0, 1, 0)),
    ("no price for the output", Rate(input=1.0), Usage(input_tokens=M, output_tokens=1), None),
    ("no price for the input", Rate(output=1.0), Usage(input_tokens=M, output_tokens=1), None),
    ("no price for images", RATE, Usage(images=1), None),
    ("an unknown input", RATE, Usage(output_tokens=M), None),
    ("more cached than read", RATE, Usage(input_tokens=1, output_tokens=1, cache_read_input_tokens=2), None),
]


@pytest.mark.parametrize(
    ("rate", "used", "expected"), [pytest.param(*case[1:], id=case[0]) for case in COSTS]
)
def test_what_a_call_costs(rate: Rate, used: Usage, expected: Cost | None) -> None:
    told = cost(rate, used)
    assert told == (None if expected is None else pytest.approx(expected))


def test_the_first_entry_that_matches_decides() -> None:
    rates = parse(
        [
            {"match": {"host": "LLM.corp.example", "model": "llama-*"}, "input": 1},
            {"host": "*.example", "input": 2, "output": 3},
            {"match": {"model": "gpt-*"}, "like": "openai"},
        ],
        KNOWN,
    )
    assert first(rates, "llm.corp.example", ("llama-3",)) == Rate("LLM.corp.example", "llama-*", input=1.0)
    assert first(rates, "llm.corp.example", ("gpt-4",)) == Rate("*.example", input=2.0, output=3.0)
    assert first(rates, "api.other", ("asked", "gpt-4")) == Rate(model="gpt-*", like="openai")
    assert first(rates, "api.other", ("",)) is None
    assert parse(None, KNOWN) == ()


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"input": 1}, "prices must be a list"),
        (["input"], "price 1: must be a mapping"),
        ([{"input": 1}, {"match": "x"}], "price 2: must be a mapping"),
        ([{"match": {"path": "/v1"}, "input": 1}], "price 1: unknown field 'path'; known are host, model"),
        ([{"inptu": 1}], "price 1: unknown field 'inptu'; known are like, input, output, cached_input"),
        ([{"match": {"model": 4}, "input": 1}], "price 1: model must be text"),
        ([{"match": {"model": "x"}}], "price 1: has no price"),
        ([{"input": "cheap"}], "price 1: input must be US dollars, 0 or more, not 'cheap'"),
        ([{"output": -1}], "price 1: output must be US dollars, 0 or more, not -1"),
        ([{"call": True}], "price 1: call must be US dollars"),
        ([{"image": float("nan")}], "price 1: image must be US dollars"),
        ([{"image": float("inf")}], "price 1: image must be US dollars"),
        ([{"like": "nobody"}], "price 1: like must be one of anthropic, openai"),
        ([{"like": ["openai"]}], "price 1: like must be one of anthropic, openai"),
        ([{"like": "openai", "input": 1}], "price 1: like stands alone"),
    ],
)
def test_what_cannot_be_is_named(entries: Any, said: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse(entries, KNOWN)
    assert str(raised.value).startswith(said)


COUNT = st.none() | st.integers(0, 1 << 40)


@given(
    st.fixed_dictionaries({name: st.none() | st.floats(0, 1e6) for name in PRICES}),
    st.builds(
        Usage,
        input_tokens=COUNT,
        output_tokens=COUNT,
        cache_read_input_tokens=COUNT,
        cache_creation_input_tokens=COUNT,
        cache_creation_1h_input_tokens=COUNT,
        audio_input_tokens=COUNT,
        images=COUNT,
    ),
)
def test_a_cost_is_never_less_than_nothing(prices: dict[str, float | None], used: Usage) -> None:
    told = cost(Rate(**prices), used)  # type: ignore[arg-type]
    assert told is None or min(told.input, told.output, told.total) >= 0
