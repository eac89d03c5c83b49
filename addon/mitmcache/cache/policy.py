"""May this call be looked up, and kept? May this record be served? Values with their reasons."""

import math
from dataclasses import dataclass
from enum import StrEnum

from mitmcache.cache.directives import Directives, united
from mitmcache.cache.rules import Rule
from mitmcache.cache.scope import Scope
from mitmcache.exchange import Call, header
from mitmcache.providers.base import Json
from mitmcache.reasons import Reason

CLOCK_SKEW = 300
"""A record from further in the future than this, in seconds, is no record."""


class Mode(StrEnum):
    """llm_mode: as usual; never upstream; always upstream; as if we were not there."""

    LIVE = "live"
    OFFLINE = "offline"
    REFRESH = "refresh"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Bypass:
    """Neither looked up nor kept."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Lookup:
    """`read`: ask the store; `write`: keep the reply for `ttl` seconds (math.inf: for ever), under `tags`.

    `unwritten` is why not, where it is not to be kept. `variants` answers are collected before any is given
    again, then they take turns.
    """

    read: bool
    write: bool
    ttl: float
    scope: Scope
    tags: tuple[str, ...] = ()
    unwritten: Reason = Reason.NO_STORE
    variants: int = 1


def decide(
    call: Call,
    seen: Json,
    asked: Directives,
    rule: Rule,
    *,
    mode: Mode,
    ttl: float,
    scope: Scope,
    max_body: int,
) -> Lookup | Bypass:
    """`ttl` and `scope` are the defaults; the request's header wins over the rule, the rule over them."""
    if mode is Mode.OFF:
        return Bypass(Reason.OFF)
    if asked.skip:
        return Bypass(Reason.SKIP)
    if rule.skip:
        return Bypass(Reason.POLICY)
    if len(call.body) > max_body:
        return Bypass(Reason.TOO_LARGE)
    if call.unread:  # what cannot be read may ask for anything
        return Bypass(call.unread)
    if [name for name, _ in call.headers if name == "range" or name.startswith("if-")]:
        return Bypass(Reason.CONDITIONAL)
    if header(call.headers, "x-use-cache").lower() in ("0", "false"):  # Hugging Face's own word
        return Bypass(Reason.USE_CACHE)
    if rule.skip is None and (reason := call.dialect.refuse(seen)):
        return Bypass(reason)
    lifetime = next(value for value in (asked.ttl, rule.ttl, ttl) if value is not None)
    return Lookup(
        read=mode is not Mode.REFRESH and not asked.no_cache,
        write=not asked.no_store and lifetime > 0,
        ttl=lifetime,
        scope=rule.scope or scope,
        tags=united(asked.tags, rule.tags),
        variants=asked.variants or rule.variants or 1,
    )


class Serve(StrEnum):
    """llm_serve: whatever is stored; or nothing that this run of the proxy has stored itself, so that an
    application's own retry gets another answer."""

    ALL = "all"
    EARLIER_RUNS = "earlier-runs"


class Freshness(StrEnum):
    """What a stored record is to this caller; the words are those of RFC 9211's `fwd`, but for two."""

    FRESH = "fresh"
    SERVE_STALE = "serve-stale"
    STALE = "stale"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class Age:
    """Seconds. `ttl` is what is left, negative once stale, math.inf where it never ends."""

    age: float
    ttl: float


def age(created: float, expires: float, now: float) -> Age:
    return Age(max(0.0, now - created), expires - now if expires else math.inf)


def freshness(record: Age, asked: Directives, *, offline: bool = False) -> Freshness:
    """RFC 9111 5.2.1, for a caller who asked to read the cache. `offline`: a stale answer is all there is."""
    if asked.max_age is not None and record.age > asked.max_age:
        return Freshness.REQUEST
    if asked.min_fresh is not None and record.ttl < asked.min_fresh:
        return Freshness.REQUEST
    if record.ttl > 0:
        return Freshness.FRESH
    if offline or (asked.max_stale is not None and -record.ttl <= asked.max_stale):
        return Freshness.SERVE_STALE
    return Freshness.STALE


def may_cover_error(record: Age, asked: Directives, status: int) -> bool:
    """RFC 5861 4: stale-if-error, for the statuses it names."""
    return (
        asked.stale_if_error is not None
        and status in (500, 502, 503, 504)
        and -record.ttl <= asked.stale_if_error
    )
