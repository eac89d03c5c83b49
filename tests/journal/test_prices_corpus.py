"""Every recorded call, from its bytes to its price: what the recording says, and what the list says of that.

The list has readers of its own for raw usage, which know nothing of ours: they are the oracle. Where it has
none for a dialect, the recorded numbers are found by a deep search.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import product
from typing import Any

import genai_prices
import pytest
from genai_prices.data_snapshot import get_snapshot

import exchanges
from corpus import corpus_dir
from journal.events import event
from mitmcache.exchange import Reply
from mitmcache.journal.event import Event
from mitmcache.journal.journal import MAX_WAITING, Journal
from mitmcache.journal.ledgers import FREE, sums_of
from mitmcache.journal.prices import LISTED, Prices, _is_at_home
from mitmcache.providers.catalogue import PROVIDERS
from reading.recorded import Recorded, recorded
from reading.spoilt import reply_headers
from reading.test_usage_corpus import expected, found

DEADLINE = 60.0
BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
needs_corpus = pytest.mark.skipif(corpus_dir() is None, reason="no corpus")

FLAVORS = {
    "openai.chat": ("chat", "default"),
    "openai.completions": ("chat", "default"),
    "openai.responses": ("responses", "default"),
    "openai.embeddings": ("embeddings",),
    "openai.images": ("images",),
    "anthropic.messages": ("default", "anthropic"),
    "bedrock.converse": ("default",),
    "bedrock.invoke": ("anthropic", "default"),
    "gemini.generate": ("default",),
    "cohere.v2.chat": ("default",),
    "cohere.embed": ("embeddings",),
    "ocr": ("ocr",),
}
NAMES = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
    "audio_input_tokens": "input_audio_tokens",
    "audio_seconds": "audio_seconds",
    "pages": "input_document_pages",
}


async def told(pairs: Sequence[tuple[Event, Reply]]) -> list[Event]:
    """The events as a journal tells them."""
    events: list[Event] = []
    journal = Journal(Prices().price)
    journal.listen(events.extend)
    assert len(pairs) < MAX_WAITING
    for noted, reply in pairs:
        journal.note(noted, reply)
    await journal.flush(DEADLINE)
    return events


def noted(reply: Recorded) -> Event:
    return event(
        id=reply.id,
        began=BEGAN.timestamp(),
        provider=reply.provider,
        host=reply.host,
        dialect=reply.dialect,
        operation=reply.operation,
        model=reply.model,
    )


_told: list[tuple[Recorded, Event]] = []


async def all_told() -> list[tuple[Recorded, Event]]:
    """Every recorded call; told once for all the tests here."""
    if not _told:
        replies = recorded()
        events = await told([(noted(each), Reply(200, each.headers, each.body)) for each in replies])
        _told.extend(zip(replies, events, strict=True))
    return _told


@needs_corpus
async def test_every_recorded_call_is_told_with_the_usage_that_was_recorded() -> None:
    wrong = []
    for reply, call in await all_told():
        said = {} if reply.dialect in FREE | {"anthropic.complete"} else expected(reply)
        got = {name: getattr(call.usage, name) for name in said} if call.usage else {}
        if got != said:
            wrong.append((reply.id, reply.dialect, said, call.usage))
    assert wrong == []


def raw(reply: Recorded) -> Iterator[dict[str, Any]]:
    """The documents in which the list's readers may find usage, the last word first."""
    for document in reversed(reply.documents):
        for name in ("", "response", "metadata", "delta", "x_groq"):
            holder = document.get(name) if name and isinstance(document, dict) else document
            if isinstance(holder, dict):
                yield holder


def merged(reply: Recorded) -> dict[str, Any]:
    """Claude's streams tell the input at the start, and the output at the end."""
    usage: dict[str, Any] = {}
    for document in reply.documents:
        for each in found(document, "usage"):
            usage |= {name: value for name, value in each.items() if value is not None}
    return {"usage": usage}


@lru_cache
def listed() -> dict[str, Any]:
    return {provider.id: provider for provider in get_snapshot().providers}


def counted(reply: Recorded) -> Any:
    """The usage as the list's own readers find it, None where they find none."""
    readers = [listed()[LISTED[reply.provider]]]
    readers += [listed()["openai"]] if reply.dialect.startswith("openai.") else []
    claude = reply.dialect in ("anthropic.messages", "bedrock.invoke")
    for document in [merged(reply)] if claude else raw(reply):
        for reader, flavor in product(readers, FLAVORS.get(reply.dialect, ())):
            try:
                return reader.extract_usage(document, api_flavor=flavor)[1]
            except (ValueError, AttributeError):  # of an enum's number instead of its name
                continue
    said = {
        NAMES[name]: value for name, value in expected(reply).items() if name in NAMES and value is not None
    }
    return genai_prices.Usage(**said) if said else None


def first_said(reply: Recorded, *names: str) -> list[str]:
    said = []
    for document in reply.documents:
        told = document if isinstance(document, dict) else {}
        for holder in (told, *map(told.get, ("response", "message", "interaction"))):
            said += [holder.get(name) for name in names] if isinstance(holder, dict) else []
    return [word for word in said if isinstance(word, str) and word]


def oracle(reply: Recorded) -> float | None:
    """What the list says of the recorded usage; None: nothing, or that it cannot be."""
    tiers = [word for word in first_said(reply, "service_tier") if word in ("flex", "priority")]
    for model in [*first_said(reply, "model", "modelVersion")[:1], reply.model]:
        try:
            return float(
                genai_prices.calc_price(
                    counted(reply),
                    model,
                    provider_id=LISTED[reply.provider],
                    genai_request_timestamp=BEGAN,
                    price_context={"service_tier": tiers[-1]} if tiers else None,
                ).total_price
            )
        except LookupError:
            continue
        except ValueError:
            return None
    return None


OTHERWISE = {
    # Bedrock's own count is the bill, and not that of the model in the same answer
    ("aws.bedrock", "bedrock.invoke"): 3,
    # the list has no reader for the images among the tokens
    ("gcp.gemini", "gemini.embed"): 1,
    # audio by the hour, and what was cached under another name, are not read by the list
    ("mistral_ai", "openai.chat"): 3,
}


@needs_corpus
async def test_every_recorded_call_costs_what_the_list_says_of_its_usage() -> None:
    differ: list[tuple[Recorded, float | None, Event]] = []
    priced = 0
    for reply, call in await all_told():
        if call.usage is None or reply.provider not in LISTED or not _is_at_home(call):
            continue
        said, got = oracle(reply), call.cost.total if call.cost else None
        priced += got is not None
        if (said is None) != (got is None) or (said is not None and got != pytest.approx(said, rel=1e-9)):
            differ.append((reply, said, call))
    kinds = Counter((reply.provider, reply.dialect) for reply, _, _ in differ)
    assert dict(kinds) == OTHERWISE, [(r.id, r.dialect, s, e.cost, e.usage) for r, s, e in differ]
    assert priced > 1300


@needs_corpus
async def test_streams_that_tell_nothing_are_unknown_and_add_nothing() -> None:
    silent = [
        call
        for reply, call in await all_told()
        if reply.streamed and reply.dialect.startswith("openai.") and not expected(reply)
    ]
    assert len(silent) >= 28
    for each in silent:
        sums = sums_of(each)
        assert each.usage is None and each.cost is None
        assert (sums.unknown_usage, sums.unknown_price, sums.input_tokens, sums.dollars) == (1, 1, 0, 0)


@needs_corpus
async def test_no_recorded_call_has_more_saved_by_its_providers_cache_than_it_would_cost() -> None:
    costs = [call.cost for _, call in await all_told() if call.cost]
    assert any(cost.cache_savings > 0 for cost in costs) and any(cost.cache_savings < 0 for cost in costs)
    for cost in costs:
        assert cost.total >= 0 and cost.total + cost.cache_savings >= -1e-12


async def test_made_up_calls_cost_what_the_list_says() -> None:
    """The same without a corpus: one call of every dialect that is listed."""
    own = {provider.name: provider for provider in PROVIDERS}
    pairs = []
    for each in exchanges.ALL:
        names = [name for name, p in own.items() if any(h.fullmatch(each.url.split("/")[2]) for h in p.hosts)]
        made = event(
            id=each.name,
            began=BEGAN.timestamp(),
            provider=names[0] if names else "",
            host=each.url.split("/")[2],
            dialect=each.dialect,
            model="gpt-4o" if names[:1] == ["openai"] else "",
        )
        pairs.append((made, Reply(200, reply_headers(each), each.answer)))
    events = {each.id: each for each in await told(pairs)}
    chat, silent = events["openai chat json"], events["openai chat stream without usage"]
    price = genai_prices.calc_price(
        genai_prices.Usage(input_tokens=9, output_tokens=3),
        chat.response_model or "gpt-4o",
        provider_id="openai",
        genai_request_timestamp=BEGAN,
    )
    assert chat.cost and chat.cost.total == float(price.total_price) > 0
    assert silent.usage is None and silent.cost is None
    assert not [each.id for each in events.values() if each.cost and each.usage is None]
