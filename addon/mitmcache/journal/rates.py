"""The user's own prices, from the policy file. They go before those of the price list.

    prices:
      - match: {host: llm.corp.example, model: "llama-*"}
        input: 0.20            # US dollars per million tokens
        output: 0.60
        cached_input: 0.02     # read from the provider's own cache; without it, as input
        cache_write: 0.25      # written to it; cache_write_1h: kept for an hour
      - match: {host: "localhost:*"}
        input: 0
        output: 0
      - match: {host: gateway.corp.example}
        like: openai           # as that provider's, by its list

Conditions are shell globs, and the first entry that matches decides. `audio_input` and `audio_output` are
per million tokens of these; `image` is for each image made, `call` for each call.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from math import isfinite
from typing import Any

from mitmcache.exchange import Usage
from mitmcache.journal.event import Cost

CONDITIONS = ("host", "model")
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """US dollars; of tokens, per million. None: not said."""

    host: str = "*"
    model: str = "*"
    like: str = ""
    input: float | None = None
    output: float | None = None
    cached_input: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None
    audio_input: float | None = None
    audio_output: float | None = None
    image: float | None = None
    call: float | None = None

    def matches(self, host: str, models: tuple[str, ...]) -> bool:
        return fnmatchcase(host, self.host.lower()) and any(fnmatchcase(each, self.model) for each in models)


PRICES = tuple(each.name for each in fields(Rate) if each.name not in ("host", "model", "like"))


def parse(entries: Any, providers: frozenset[str]) -> tuple[Rate, ...]:
    """What stands under `prices:`. `providers` are those that `like` may name. Raises ValueError, which names
    the entry and the field."""
    if entries is None:
        return ()
    if not isinstance(entries, list):
        raise ValueError("prices must be a list")
    return tuple(_rate(f"price {index}", entry, providers) for index, entry in enumerate(entries, 1))


def first(rates: tuple[Rate, ...], host: str, models: tuple[str, ...]) -> Rate | None:
    """The entry that decides."""
    return next((rate for rate in rates if rate.matches(host, models)), None)


def cost(rate: Rate, used: Usage) -> Cost | None:
    """None where something was used that the entry has no price for, or is not known to what amount."""
    priced = _total(rate, used)
    if priced is None:
        return None
    plain = _total(rate, used, cached=False)
    taken, given, more = priced
    total = taken + given + more
    return Cost(taken, given, total, sum(plain) - total if plain else 0.0)


def _rate(name: str, entry: Any, providers: frozenset[str]) -> Rate:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("match", {}), Mapping):
        raise ValueError(f"{name}: must be a mapping with `match` and prices")
    match, told = dict(entry.get("match", {})), {k: v for k, v in entry.items() if k != "match"}
    match |= {condition: told.pop(condition) for condition in CONDITIONS if condition in told}
    for known, given in ((CONDITIONS, match), (("like", *PRICES), told)):
        if unknown := [each for each in given if each not in known]:
            raise ValueError(f"{name}: unknown field {unknown[0]!r}; known are {', '.join(known)}")
    for condition, value in match.items():
        if not isinstance(value, str):
            raise ValueError(f"{name}: {condition} must be text, a glob, not {value!r}")
    if "like" in told:
        if not isinstance(told["like"], str) or told["like"] not in providers:
            raise ValueError(f"{name}: like must be one of {', '.join(sorted(providers))}")
        if len(told) > 1:
            raise ValueError(f"{name}: like stands alone, without prices")
        return Rate(**match, like=told["like"])
    if not told:
        raise ValueError(f"{name}: has no price; there are {', '.join(PRICES)}, or like")
    for field, value in told.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
            raise ValueError(f"{name}: {field} must be US dollars, 0 or more, not {value!r}")
    prices: dict[str, Any] = {field: float(value) for field, value in told.items()}
    return Rate(**match, **prices)


def _total(rate: Rate, used: Usage, *, cached: bool = True) -> tuple[float, float, float] | None:
    """Dollars for input, output and the rest; `cached=False` as if the provider had no prompt cache."""
    read = (used.cache_read_input_tokens or 0) if cached else 0
    written = (used.cache_creation_input_tokens or 0) if cached else 0
    hour = min(used.cache_creation_1h_input_tokens or 0, written) if cached else 0
    heard, spoken = used.audio_input_tokens or 0, used.audio_output_tokens or 0
    if rate.audio_input is None:
        heard = 0
    if rate.audio_output is None:
        spoken = 0
    write = _or(rate.cache_write, rate.input)
    taken = _sum(
        used.input_tokens,
        rate.input,
        (read, _or(rate.cached_input, rate.input)),
        (written - hour, write),
        (hour, _or(rate.cache_write_1h, write)),
        (heard, rate.audio_input),
    )
    given = _sum(used.output_tokens, rate.output, (spoken, rate.audio_output))
    if taken is None or given is None:
        return None
    if used.images and rate.image is None and taken + given == 0:
        return None
    more = (used.images or 0) * (rate.image or 0.0) + (rate.call or 0.0)
    return taken, given, more


def _or(price: float | None, otherwise: float | None) -> float | None:
    return otherwise if price is None else price


def _sum(whole: int | None, price: float | None, *parts: tuple[int, float | None]) -> float | None:
    """Dollars for `whole` tokens, `parts` of which have prices of their own. None: it cannot be told."""
    if whole is None:
        # none were used, or it is not known how many
        return None if price else 0.0
    rest = whole - sum(number for number, _ in parts)
    amounts = [(rest, price), *parts]
    if rest < 0 or any(number and each is None for number, each in amounts):
        return None
    total = sum(number * each for number, each in amounts if each is not None) / MILLION
    return total if isfinite(total) else None
