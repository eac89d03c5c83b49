"""What a caller says about caching, in the request's headers (RFC 9111, RFC 5861, Cloudflare's own)."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from mitmcache.exchange import Headers, header

CONTROL_HEADERS = frozenset(
    {
        "cache-control",
        "cf-aig-skip-cache",
        "cf-skip-cache",
        "cf-aig-cache-ttl",
        "cf-cache-ttl",
        "cf-aig-cache-key",
        "x-mitmcache-tag",
        "x-mitmcache-variants",
    }
)
"""Addressed to us: none of them goes upstream."""
MAX_TAGS = 16
MAX_TAG = 64
MAX_VARIANTS = 100


@dataclass(frozen=True, slots=True)
class Directives:
    """Seconds throughout; None where nothing was said. `tags` are what the answer can be purged by,
    `variants` how many different answers take turns."""

    skip: bool = False
    ttl: float | None = None
    key: str | None = None
    no_cache: bool = False
    no_store: bool = False
    only_if_cached: bool = False
    max_age: float | None = None
    max_stale: float | None = None
    min_fresh: float | None = None
    stale_if_error: float | None = None
    tags: tuple[str, ...] = ()
    variants: int | None = None


NOTHING = Directives()


def parse(headers: Headers) -> Directives:
    """A value that cannot be read is taken as not said: a cache header must not break a call."""
    if CONTROL_HEADERS.isdisjoint([name for name, _ in headers]):
        return NOTHING
    control = _cache_control(header(headers, "cache-control"))
    max_stale = control.get("max-stale", "")
    milliseconds = _seconds(header(headers, "cf-cache-ttl"))
    ttl = _seconds(header(headers, "cf-aig-cache-ttl"))
    if ttl is None and milliseconds is not None:
        ttl = milliseconds / 1000
    return Directives(
        skip=any(
            header(headers, name).strip().lower() == "true" for name in ("cf-aig-skip-cache", "cf-skip-cache")
        ),
        ttl=ttl,
        key=header(headers, "cf-aig-cache-key") or None,
        no_cache="no-cache" in control,
        no_store="no-store" in control,
        only_if_cached="only-if-cached" in control,
        max_age=_seconds(control.get("max-age")),
        # max-stale without a value accepts any staleness
        max_stale=math.inf if max_stale is None else _seconds(max_stale),
        min_fresh=_seconds(control.get("min-fresh")),
        stale_if_error=_seconds(control.get("stale-if-error")),
        tags=united(tag.strip() for tag in header(headers, "x-mitmcache-tag").split(",")),
        variants=_variants(header(headers, "x-mitmcache-variants")),
    )


def is_tag(text: str) -> bool:
    """1 to 64 visible ASCII characters, none of them a comma."""
    return 0 < len(text) <= MAX_TAG and all("!" <= letter <= "~" for letter in text) and "," not in text


def united(*tags: Iterable[str]) -> tuple[str, ...]:
    """The first MAX_TAGS of those that are tags, each once."""
    return tuple(dict.fromkeys(filter(is_tag, chain(*tags))))[:MAX_TAGS]


def _variants(text: str) -> int | None:
    text = text.strip()
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else 0
    return number if 1 <= number <= MAX_VARIANTS else None


def _cache_control(value: str) -> dict[str, str | None]:
    """Arguments by name, None where there is no `=`."""
    found: dict[str, str | None] = {}
    for item in value.split(","):
        name, equals, argument = item.partition("=")
        found.setdefault(name.strip().lower(), argument.strip().strip('"') if equals else None)
    return found


def _seconds(text: str | None) -> float | None:
    """delta-seconds of RFC 9111 1.2.2."""
    text = (text or "").strip()
    return float(text[:18]) if text.isascii() and text.isdigit() else None
