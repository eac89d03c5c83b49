import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import genai_prices
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mitmcache
from journal.events import event
from mitmcache.exchange import Usage
from mitmcache.journal import prices as module
from mitmcache.journal.event import Cost, Event
from mitmcache.journal.prices import KNOWN, LIKE, LISTED, MAX_NAME, Prices
from mitmcache.journal.rates import Rate
from mitmcache.providers.catalogue import PROVIDERS

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
M = 1_000_000
CHAT = Usage(input_tokens=1000, output_tokens=200, total_tokens=1200)


def asked(**changes: Any) -> Event:
    return event(**{"began": BEGAN.timestamp(), **changes})


def listed(model: str, provider: str, tier: str = "", **counts: int) -> Decimal:
    """What the library says, asked in the plainest way."""
    return genai_prices.calc_price(
        genai_prices.Usage(**counts),
        model,
        provider_id=provider,
        genai_request_timestamp=BEGAN,
        price_context={"service_tier": tier} if tier else None,
    ).total_price


def test_a_call_costs_what_the_list_says() -> None:
    cost = Prices().price(asked(), CHAT)
    assert cost and cost.total == float(listed("gpt-4o", "openai", input_tokens=1000, output_tokens=200)) > 0
    assert cost.input + cost.output == pytest.approx(cost.total) and cost.cache_savings == 0


def test_what_the_provider_has_cached_costs_less_and_what_it_saved_is_told() -> None:
    used = Usage(input_tokens=M, output_tokens=0, cache_read_input_tokens=M // 2)
    cost, plain = Prices().price(asked(), used), Prices().price(asked(), Usage(M, 0))
    assert cost and plain
    assert cost.total == float(
        listed("gpt-4o", "openai", input_tokens=M, output_tokens=0, cache_read_tokens=M // 2)
    )
    assert 0 < cost.cache_savings == pytest.approx(plain.total - cost.total)


def test_writing_for_an_hour_costs_more_than_for_five_minutes() -> None:
    claude = asked(provider="anthropic", host="api.anthropic.com", model="claude-sonnet-4-5")
    used = Usage(input_tokens=M, output_tokens=0, cache_creation_input_tokens=M)
    short = Prices().price(claude, used)
    long = Prices().price(claude, Usage(M, 0, None, M, M))
    assert short and long
    assert long.total > short.total > 0 > short.cache_savings > long.cache_savings
    assert long.total == float(
        listed(
            "claude-sonnet-4-5", "anthropic", input_tokens=M, cache_write_tokens=M, cache_write_1h_tokens=M
        )
    )


def test_a_long_prompt_has_the_price_of_its_tier() -> None:
    gemini = asked(provider="gcp.gemini", host="generativelanguage.googleapis.com", model="gemini-2.5-pro")
    short, long = (Prices().price(gemini, Usage(tokens, 0)) for tokens in (100_000, 300_000))
    assert short and long and long.total > 3 * short.total


def test_the_tier_of_service_that_the_answer_names_is_priced() -> None:
    told = [
        Prices().price(asked(model="gpt-5", service_tier=tier), CHAT)
        for tier in ("flex", "default", "", "new")
    ]
    flex, *usual = [cost.total if cost else None for cost in told]
    assert flex == float(listed("gpt-5", "openai", "flex", input_tokens=1000, output_tokens=200))
    assert usual == [float(listed("gpt-5", "openai", input_tokens=1000, output_tokens=200))] * 3
    fast = asked(provider="anthropic", host="api.anthropic.com", model="claude-opus-5")
    slow, quick = Prices().price(fast, CHAT), Prices().price(asked_of(fast, service_tier="fast"), CHAT)
    assert slow and quick and quick.total > slow.total


def asked_of(other: Event, **changes: Any) -> Event:
    return asked(provider=other.provider, host=other.host, model=other.model, **changes)


def test_the_model_that_answered_is_priced_and_else_the_one_asked_for() -> None:
    azure = {"provider": "azure.ai.openai", "host": "mine.openai.azure.com"}
    told = [
        Prices().price(asked(**azure, model=model, response_model=answered), CHAT)
        for model, answered in [
            ("my-deployment", "gpt-4o-2024-08-06"),
            ("gpt-4o-2024-08-06", ""),
            ("gpt-4o", "x-new"),
        ]
    ]
    assert told[0] == told[1] and told[0] and told[2]
    assert Prices().price(asked(**azure, model="my-deployment"), CHAT) is None


NOVA = "amazon.nova-lite-v1:0"
UNKNOWN = [
    ("a model that nobody has", asked(model="no-such-model"), CHAT),
    ("no model", asked(model=""), CHAT),
    (
        "a name as long as a book",
        asked(
            provider="aws.bedrock",
            host="bedrock-runtime.us-east-1.amazonaws.com",
            model=NOVA + "x" * MAX_NAME,
        ),
        CHAT,
    ),
    ("a provider that runs at home", asked(provider="ollama", host="localhost:11434", model="llama3"), CHAT),
    ("OpenAI's protocol at another host", asked(host="llm.corp.example"), CHAT),
    ("more cached than read", asked(), Usage(10, 1, 11)),
    ("an answer that broke off", asked(error="reset", streamed=True), CHAT),
    ("no output told", asked(), Usage(input_tokens=10)),
    ("no input told", asked(), Usage(output_tokens=10)),
    ("nothing told", asked(), Usage()),
    ("an image, of a model with a price for tokens", asked(model="gpt-image-1"), Usage(images=1)),
    ("speech, billed by the letter", asked(model="tts-1"), CHAT),
]


@pytest.mark.parametrize(("call", "used"), [pytest.param(*case[1:], id=case[0]) for case in UNKNOWN])
def test_what_is_not_known_has_no_price_and_never_none_at_all(call: Event, used: Usage) -> None:
    assert Prices().price(call, used) is None


KNOWN_CASES = [
    (
        "an embedding has no output",
        asked(model="text-embedding-3-small", operation="embeddings"),
        Usage(1000),
    ),
    ("nor has an answer whose total is its input", asked(), Usage(input_tokens=1000, total_tokens=1000)),
    ("audio by the minute", asked(model="whisper-1"), Usage(audio_seconds=90.0)),
    (
        "pages",
        asked(provider="mistral_ai", host="api.mistral.ai", model="mistral-ocr-latest"),
        Usage(pages=3),
    ),
    (
        "a search on the web, beside the tokens",
        asked(provider="anthropic", host="api.anthropic.com", model="claude-sonnet-4-5"),
        Usage(input_tokens=0, output_tokens=0, web_searches=1),
    ),
    (
        "a name, by its beginning",
        asked(provider="aws.bedrock", host="bedrock-runtime.us-east-1.amazonaws.com", model=NOVA + "x"),
        CHAT,
    ),
    ("a hit that its caller did not wait for", asked(error="left", word="HIT", dialled=False), CHAT),
    ("a host's own port", asked(host="api.openai.com:443"), CHAT),
]


@pytest.mark.parametrize(("call", "used"), [pytest.param(*case[1:], id=case[0]) for case in KNOWN_CASES])
def test_what_can_be_priced_is(call: Event, used: Usage) -> None:
    cost = Prices().price(call, used)
    assert cost and cost.total > 0


def test_audio_that_is_paid_by_the_hour_is_not_paid_by_the_token_too() -> None:
    voxtral = asked(provider="mistral_ai", host="api.mistral.ai", model="voxtral-small-latest")
    told = Prices().price(voxtral, Usage(384, 0, audio_input_tokens=375, audio_seconds=4.0))
    assert told and told == Prices().price(voxtral, Usage(9, 0, audio_seconds=4.0))


def test_a_free_model_costs_nothing_which_is_known() -> None:
    free = asked(provider="openrouter", host="openrouter.ai", model="deepseek/deepseek-r1:free")
    assert Prices().price(free, CHAT) == Cost(0, 0, 0, 0)


def test_ones_own_rate_goes_before_the_list() -> None:
    prices = Prices((Rate(model="gpt-4o", input=1.0, output=2.0), Rate(host="llm.*", like="openai")))
    assert prices.price(asked(), Usage(M, M)) == Cost(1, 2, 3, 0)
    assert prices.price(asked(model="gpt-5"), CHAT) == Prices().price(asked(model="gpt-5"), CHAT)
    assert prices.price(asked(host="llm.corp.example", model="gpt-5"), CHAT) == Prices().price(
        asked(model="gpt-5"), CHAT
    )


def test_a_rate_that_lacks_a_price_does_not_fall_back_to_the_list() -> None:
    assert Prices((Rate(model="gpt-4o", input=1.0),)).price(asked(), CHAT) is None


def test_names_that_nobody_has_are_not_remembered_without_bound() -> None:
    prices = Prices()
    for number in range(KNOWN + 500):
        assert prices.price(asked(model=f"made-up-{number}"), CHAT) is None
    assert len(prices._known) == KNOWN
    snapshot = genai_prices.data_snapshot.get_snapshot()
    assert not any("made-up" in str(key) for key in (*snapshot._provider_cache, *snapshot._provider_misses))


def test_every_provider_named_is_ours_and_the_lists() -> None:
    theirs = {provider.id for provider in genai_prices.data_snapshot.get_snapshot().providers}
    assert set(LISTED.values()) | set(LIKE.values()) <= theirs
    assert LISTED.keys() <= {provider.name for provider in PROVIDERS}


def test_a_library_that_fails_leaves_the_price_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("changed")

    monkeypatch.setattr(module, "_ask", fail)
    assert Prices().price(asked(), CHAT) is None


NUMBER = st.none() | st.integers(-(1 << 70), 1 << 70) | st.floats()


@settings(max_examples=40)
@given(st.text(max_size=300), st.text(max_size=20), *[NUMBER] * 5)
def test_nothing_that_strangers_say_makes_it_fail(
    model: str, tier: str, taken: Any, given_: Any, read: Any, written: Any, heard: Any
) -> None:
    used = Usage(taken, given_, read, written, audio_seconds=heard)
    for name in (model, "gpt-4o", "whisper-1"):
        cost = Prices().price(asked(model=name, service_tier=tier), used)
        assert cost is None or cost.total >= 0


def test_the_list_is_not_read_before_a_call_is_priced() -> None:
    loaded = "[name in sys.modules for name in ('genai_prices', 'pydantic')]"
    code = f"import sys, mitmcache.settings, mitmcache.journal.history; print(any({loaded}))"
    folder = Path(mitmcache.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
