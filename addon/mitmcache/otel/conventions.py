"""A call in the words of OpenTelemetry's conventions for generative AI. Pure.

Those of version 1.36, which are what is sent unless the newest are asked for, say `gen_ai.system` where the
newest say `gen_ai.provider.name`; all else that is said here has one name in both. What is our own begins
with `mitmcache.`. What an answer from the cache once used is no usage of this call, and never said as such.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from mitmcache.journal.event import Event
from mitmcache.logs.line import error_words, plain

type Value = str | int | float | bool
type Attributes = dict[str, Value]
type Labels = tuple[tuple[str, Value], ...]
"""Attributes that can be told apart quickly."""

DURATION, USAGE = "gen_ai.client.operation.duration", "gen_ai.client.token.usage"
COUNTED = SAVED_TOKENS, COST, SAVED_COST = (
    "mitmcache.token.saved",
    "mitmcache.cost.billed",
    "mitmcache.cost.saved",
)
DURATION_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
"""Seconds."""
TOKEN_BUCKETS = tuple(4**power for power in range(14))

_OLD_NAMES = {"x_ai": "xai"}
_PARTS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cache_read.input_tokens",
    "cache_creation_input_tokens": "cache_creation.input_tokens",
    "reasoning_output_tokens": "reasoning.output_tokens",
}


class Measure(NamedTuple):
    """One recording of the metric of this name."""

    metric: str
    value: float
    labels: Labels


def span_name(event: Event) -> str:
    return f"{event.operation} {plain(event.model)}".rstrip()


def failure(event: Event) -> str:
    """`error.type`, "" where there was no error: a status code, or one of a few words."""
    if event.status >= 400:
        return str(event.status)
    if not event.error:
        return ""
    said = event.error.lower()
    if "timeout" in said or "timed out" in said:
        return "timeout"
    return "disconnected" if "disconnect" in said else "_OTHER"


def span_attributes(event: Event, *, latest: bool) -> Attributes:
    found: Attributes = {
        **dict(_common(event, latest=latest)),
        "mitmcache.cache.reason": plain(event.reason),
        "mitmcache.cache.unstored": event.unstored,
        "mitmcache.cache.tier": event.tier,
        "mitmcache.cache.key": event.key,
        "mitmcache.id": event.id,
        "mitmcache.client": plain(event.client),
        "mitmcache.agent": plain(event.agent),
        "http.response.status_code": event.status,
        "http.request.body.size": event.request_size,
        "http.response.body.size": event.response_size,
        "error.type": failure(event),
    }
    if event.first_byte is not None:
        found["mitmcache.first_byte"] = event.first_byte
    known = {name: value for name, value in found.items() if value}
    return {**known, **_used(event)}


def status_description(event: Event) -> str:
    return error_words(event.error)


def measures(event: Event, *, latest: bool) -> Iterator[Measure]:
    common = _common(event, latest=latest)
    failed = failure(event)
    yield Measure(DURATION, event.duration, (*common, ("error.type", failed)) if failed else common)
    ledger = event.ledger
    if not ledger:
        return
    if event.usage:
        metric = USAGE if ledger == "billed" else SAVED_TOKENS
        if event.usage.input_tokens is not None:
            yield Measure(metric, event.usage.input_tokens, (*common, ("gen_ai.token.type", "input")))
        if event.usage.output_tokens is not None:
            yield Measure(metric, event.usage.output_tokens, (*common, ("gen_ai.token.type", "output")))
    if event.cost:
        yield Measure(COST if ledger == "billed" else SAVED_COST, event.cost.total, common)


def _common(event: Event, *, latest: bool) -> Labels:
    """Of spans and metrics alike: few values each."""
    return _labels(event.operation, event.provider, event.word, event.model, event.host, event.port, latest)


@lru_cache(maxsize=1024)
def _labels(
    operation: str, provider: str, word: str, model: str, host: str, port: int, latest: bool
) -> Labels:
    found: Attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name" if latest else "gen_ai.system": (
            provider if latest else _OLD_NAMES.get(provider, provider)
        ),
        "mitmcache.cache.word": word,
    }
    if model:
        found["gen_ai.request.model"] = plain(model)
    if host:
        found["server.address"] = plain(host.removesuffix(f":{port}").strip("[]"))
        if port:
            found["server.port"] = port
    return tuple(found.items())


def _used(event: Event) -> Attributes:
    ledger = event.ledger
    if not ledger:
        return {}
    prefix = "gen_ai.usage" if ledger == "billed" else "mitmcache.saved"
    counts = {name: getattr(event.usage, field) for field, name in _PARTS.items()} if event.usage else {}
    used: Attributes = {f"{prefix}.{name}": count for name, count in counts.items() if count is not None}
    if event.cost:
        used["mitmcache.cost_usd" if ledger == "billed" else "mitmcache.saved_usd"] = event.cost.total
    return used
