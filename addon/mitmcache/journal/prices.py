"""What a call costs, by the list prices of genai-prices, which are data in that package: nothing is asked for
over a network. The user's own rates (rates.py) go before them.

The list is read when the first call is priced, and not at the start: it takes 0.3 s of a thread and 21 MB,
pydantic included.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from mitmcache.exchange import Usage
from mitmcache.journal import rates
from mitmcache.journal.event import Cost, Event
from mitmcache.journal.linear import Amounts, Learnt
from mitmcache.journal.rates import Rate
from mitmcache.providers.catalogue import ALIASES, PROVIDERS

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, PriceCalculation, Provider

logger = logging.getLogger(__name__)

LISTED = {
    "anthropic": "anthropic",
    "aws.bedrock": "aws",
    "avian": "avian",
    "azure.ai.openai": "azure",
    "baseten": "baseten",
    "cerebras": "cerebras",
    "cloudflare": "cloudflare",
    "cohere": "cohere",
    "databricks": "databricks",
    "deepseek": "deepseek",
    "doubleword": "doubleword",
    "fireworks": "fireworks",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "github_copilot": "github-copilot",
    "groq": "groq",
    "minimax": "minimax",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "novita": "novita",
    "openai": "openai",
    "openrouter": "openrouter",
    "ovhcloud": "ovhcloud",
    "perplexity": "perplexity",
    "together": "together",
    "voyage": "voyageai",
    "x_ai": "x-ai",
    "zai": "zai",
    "zhipu": "zhipuai",
}
"""Our names of the providers whose prices are listed, and the list's own. A subscription (ChatGPT's) and what
runs at home have no price; a router that passes calls on to others (Hugging Face) has theirs."""

LIKE = {**LISTED, **{short: LISTED[name] for short, name in ALIASES.items()}}
"""What `like` of a rate may name."""
KNOWN = 1024
"""Models of which it is remembered where they stand in the list, or that they do not."""
LATELY = 1024
"""Costs that are remembered: whoever asks much often asks the same, and the list takes its time."""
MAX_NAME = 200
"""Characters of a model's name; a longer one is nobody's."""

type Listed = tuple[Provider, ModelInfo]


class Prices:
    """For any thread, one at a time. Never raises: what has no price is None."""

    def __init__(self, own: tuple[Rate, ...] = ()) -> None:
        self._own = own
        self._known: OrderedDict[tuple[str, str], Listed | None] = OrderedDict()
        self._providers: dict[str, Provider] | None = None
        self._lately: OrderedDict[tuple[object, ...], Cost | None] = OrderedDict()
        self._learnt = Learnt()

    def price(self, event: Event, used: Usage) -> Cost | None:
        """US dollars, at the prices of the day on which the call began. None also where upstream's answer
        broke off: more is billed than it had said until then."""
        if event.error and event.ledger == "billed":
            return None
        try:
            return self._price(event, used)
        except Exception as error:  # of a library that raises whatever it likes
            logger.debug("mitmcache: no price for a call: %s", type(error).__name__)
            return None

    def _price(self, event: Event, used: Usage) -> Cost | None:
        models = tuple(dict.fromkeys(filter(None, (event.response_model, event.model)))) or ("",)
        used = _without_output(event, used)
        provider = LISTED.get(event.provider, "") if _is_at_home(event) else ""
        if rate := rates.first(self._own, event.host, models):
            if not rate.like:
                return rates.cost(rate, used)
            provider = LIKE[rate.like]
        for model in models:
            if provider and (listed := self._find(provider, model)):
                return self._cost(listed, event, used)
        return None

    def _cost(self, listed: "Listed", event: Event, used: Usage) -> Cost | None:
        # prices may depend on the time of day, by the minute
        key = listed[0].id, listed[1].id, event.service_tier, event.began // 60, used
        if key not in self._lately:
            # a tier's are made anew each time, and cannot be known again
            prices = None if event.service_tier else listed[1].get_prices(_began(event))
            amounts = self._learnt.of(prices, _counts(used), partial(_calculated, listed, event))
            self._lately[key] = Cost(*map(float, amounts)) if amounts else None
            if len(self._lately) > LATELY:
                self._lately.popitem(last=False)
        return self._lately[key]

    def _find(self, provider: str, model: str) -> "Listed | None":
        # the list's own lookup remembers every name that it was ever asked for
        if not model or len(model) > MAX_NAME:
            return None
        key = provider, model
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        listed = self._known[key] = self._look(provider, model)
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return listed

    def _look(self, provider: str, model: str) -> "Listed | None":
        if self._providers is None:
            from genai_prices.data_snapshot import get_snapshot

            self._providers = {each.id: each for each in get_snapshot().providers}
        found = self._providers.get(provider)
        model_info = found.find_model(model, all_providers=list(self._providers.values())) if found else None
        return (found, model_info) if found and model_info else None


def _is_at_home(event: Event) -> bool:
    """Whoever speaks a provider's protocol at another host has other prices."""
    known = (host for each in PROVIDERS if each.name == event.provider for host in each.hosts)
    return any(host.fullmatch(event.host.removesuffix(":443")) for host in known)


def _without_output(event: Event, used: Usage) -> Usage:
    """With no output where none was made: Google leaves out what is zero."""
    none = event.operation == "embeddings" or used.total_tokens == used.input_tokens is not None
    return replace(used, output_tokens=0) if none and used.output_tokens is None else used


def _began(event: Event) -> datetime:
    return datetime.fromtimestamp(event.began, UTC)


def _calculated(listed: "Listed", event: Event, counts: Mapping[str, float]) -> Amounts | None:
    """The fields of Cost, by the list."""
    priced = _ask(listed, event, counts)
    if (
        priced.model_price.input_audio_hours
        and counts.get("audio_seconds")
        and counts.get("input_audio_tokens")
    ):
        # the hour is the bill, not the tokens that were made of it
        counts = {**counts, "input_tokens": counts["input_tokens"] - counts["input_audio_tokens"]}
        priced = _ask(listed, event, counts)
    if not _says_enough(priced.model_price.__dict__, counts):
        return None
    plain = {name: count for name, count in counts.items() if not name.startswith("cache_")}
    saved = Decimal(0)
    if len(plain) < len(counts):
        with suppress(ValueError):
            saved = _ask(listed, event, plain).total_price - priced.total_price
    return priced.input_price, priced.output_price, priced.total_price, saved


def _ask(listed: "Listed", event: Event, counts: Mapping[str, float]) -> "PriceCalculation":
    """Raises ValueError where the counts contradict each other."""
    from genai_prices import Usage as Counts

    provider, model = listed
    tier = event.service_tier
    return model.calc_price(
        Counts(**counts),
        provider,
        genai_request_timestamp=_began(event),
        # Anthropic's `fast` is a speed, everybody else's tiers are tiers
        price_context={"service_tier": tier, "speed": tier} if tier else None,
    )


_NAMES: dict[str, Callable[[Usage], float | None]] = {
    "input_tokens": lambda used: used.input_tokens,
    "output_tokens": lambda used: used.output_tokens,
    "cache_read_tokens": lambda used: used.cache_read_input_tokens,
    "cache_write_tokens": lambda used: used.cache_creation_input_tokens,
    "cache_write_1h_tokens": lambda used: used.cache_creation_1h_input_tokens,
    "output_reasoning_tokens": lambda used: used.reasoning_output_tokens,
    "input_audio_tokens": lambda used: used.audio_input_tokens,
    "cache_audio_read_tokens": lambda used: used.cache_read_audio_input_tokens,
    "output_audio_tokens": lambda used: used.audio_output_tokens,
    "input_image_tokens": lambda used: used.image_input_tokens,
    "output_image_tokens": lambda used: used.image_output_tokens,
    "audio_seconds": lambda used: used.audio_seconds,
    "input_audio_seconds": lambda used: used.audio_seconds,
    "input_document_pages": lambda used: used.pages,
    "rerank_searches": lambda used: used.search_units,
    "web_searches": lambda used: used.web_searches,
}


def _counts(used: Usage) -> dict[str, float]:
    said = ((name, of(used)) for name, of in _NAMES.items())
    return {name: count for name, count in said if count is not None}


_UNITS = {
    "input_tokens": ("input_mtok",),
    "output_tokens": ("output_mtok",),
    "audio_seconds": ("audio_hours", "input_audio_hours"),
    "input_document_pages": ("input_document_kpages",),
    "rerank_searches": ("rerank_searches_kcount",),
}
"""What the bill of a call is about, and its prices."""
_OTHER_UNITS = ("input_mchars", "input_gpixels", "input_text_messages_kcount")
"""Prices of what no answer tells the number of."""


def _says_enough(prices: dict[str, Any], counts: Mapping[str, float]) -> bool:
    """The list takes what is not said for zero: a call of which only a part is known would be too cheap.

    A model without any price is one that is free.
    """
    there = {name for name, price in prices.items() if price is not None}
    if not there:
        return True
    asked = {name: set(units) & there for name, units in _UNITS.items()}
    told = [name for name, units in asked.items() if units and name in counts]
    if not told or there.intersection(_OTHER_UNITS):
        return False
    missing = [name for name in ("input_tokens", "output_tokens") if asked[name] and name not in counts]
    # one bills by the minute what another bills by the token, and the list has both prices
    return not missing or "audio_seconds" in told
