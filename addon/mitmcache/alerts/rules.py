"""The policy file's `alerts`: what somebody wants to be told of.

    alerts:
      webhook: https://alerts.example/hook     # also to the log, always
      repeat: 4h                               # again, while it lasts
      rules:
        - {when: spend_per_hour, above: 20}    # US dollars, of calls whose price is known
        - {when: error_ratio, above: 0.2, window: 10m, min_calls: 20}
        - {name: few hits, when: hit_ratio, below: 0.3, window: 1h, min_calls: 50}
        - {when: store_down, for: 1m}

A rule's `name` is its `when` where it has none, and no two have the same.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from mitmcache.units import duration

MOST = 32
"""Rules."""
FIELDS = ("webhook", "repeat", "rules")
SHORTEST, LONGEST = 10.0, 86400.0
"""Seconds of a window."""
REPEAT = 4 * 3600.0
LASTING = 60.0
MIN_CALLS = 20
_NAME = re.compile(r"[\w][\w .:/-]{0,79}")


class When(StrEnum):
    """What is looked at."""

    SPEND_PER_HOUR = "spend_per_hour"
    ERROR_RATIO = "error_ratio"
    HIT_RATIO = "hit_ratio"
    STORE_DOWN = "store_down"


_KNOWN = {
    When.SPEND_PER_HOUR: ("above", "window"),
    When.ERROR_RATIO: ("above", "window", "min_calls"),
    When.HIT_RATIO: ("below", "window", "min_calls"),
    When.STORE_DOWN: ("for",),
}
_WINDOWS = {When.SPEND_PER_HOUR: 3600.0, When.ERROR_RATIO: 600.0, When.HIT_RATIO: 3600.0}


@dataclass(frozen=True, slots=True)
class Rule:
    """Fires when it is above `threshold`, or for hits below it, over the last `window` seconds, of at least
    `min_calls` calls; or for a store when it has been down for `lasting` seconds."""

    name: str
    when: When
    threshold: float = 0.0
    window: float = 0.0
    min_calls: int = 0
    lasting: float = 0.0


@dataclass(frozen=True, slots=True)
class Alerts:
    """`webhook` is "" for none, and may hold a secret. `repeat` in seconds, math.inf for never."""

    rules: tuple[Rule, ...] = ()
    webhook: str = field(default="", repr=False)
    repeat: float = REPEAT


def parse(section: Any) -> Alerts:
    """What stands under `alerts`. Raises ValueError that names the rule and the field."""
    if section is None:
        return Alerts()
    if not isinstance(section, Mapping):
        raise ValueError("alerts: must be a mapping with `rules`, and `webhook` and `repeat` if wanted")
    if unknown := [name for name in section if name not in FIELDS]:
        raise ValueError(f"alerts: unknown field {unknown[0]!r}; known are {', '.join(FIELDS)}")
    entries = section.get("rules") or []
    if not isinstance(entries, list) or len(entries) > MOST:
        raise ValueError(f"alerts: rules must be a list, of at most {MOST}")
    rules = tuple(_rule(index, entry) for index, entry in enumerate(entries, 1))
    names = [rule.name for rule in rules]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"alerts: two rules have the name {twice[0]!r}")
    try:
        repeat = duration(str(section["repeat"])) if "repeat" in section else REPEAT
    except ValueError as error:
        raise ValueError(f"alerts: repeat: {error}") from None
    return Alerts(rules, _webhook(section.get("webhook")), repeat)


def _webhook(given: Any) -> str:
    """What is wrong is told without the URL, which may hold a secret."""
    if given is None:
        return ""
    try:
        parts = urlsplit(given if isinstance(given, str) else "")
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or not given.isascii() or not given.isprintable() or " " in given:
        raise ValueError("alerts: webhook must be a URL such as https://alerts.example/hook")
    return str(given)


def _rule(index: int, entry: Any) -> Rule:
    if not isinstance(entry, Mapping):
        raise ValueError(f"alerts: rule {index}: must be a mapping with `when` and its settings")
    try:
        when = When(entry.get("when", ""))
    except ValueError:
        raise ValueError(
            f"alerts: rule {index}: when must be one of {', '.join(When)}, not {entry.get('when')!r}"
        ) from None
    known = ("name", "when", *_KNOWN[when])
    if unknown := [name for name in entry if name not in known]:
        raise ValueError(
            f"alerts: rule {index}: unknown field {unknown[0]!r}; {when} knows {', '.join(known)}"
        )
    try:
        return Rule(
            name=_name(entry.get("name", when.value)),
            when=when,
            threshold=_threshold(when, entry),
            window=_seconds("window", entry, SHORTEST) if when in _WINDOWS else 0.0,
            min_calls=_min_calls(entry) if "min_calls" in known else 0,
            lasting=_seconds("for", entry, 0.0) if when is When.STORE_DOWN else 0.0,
        )
    except ValueError as error:
        raise ValueError(f"alerts: rule {index}: {error}") from None


def _name(given: Any) -> str:
    if not isinstance(given, str) or not _NAME.fullmatch(given):
        raise ValueError(f"name must be letters, digits, spaces and .:/-, at most 80, not {given!r}")
    return given


def _threshold(when: When, entry: Mapping[str, Any]) -> float:
    if when is When.STORE_DOWN:
        return 0.0
    name = "below" if when is When.HIT_RATIO else "above"
    given = entry.get(name)
    ratio = when is not When.SPEND_PER_HOUR
    words = "a number from 0 to 1" if ratio else "dollars, 0 or more"
    if not isinstance(given, int | float) or isinstance(given, bool):
        raise ValueError(f"{name} must be {words}, not {given!r}")
    if not (math.isfinite(given) and 0 <= given <= (1 if ratio else math.inf)):
        raise ValueError(f"{name} must be {words}, not {given!r}")
    return float(given)


def _seconds(name: str, entry: Mapping[str, Any], least: float) -> float:
    default = LASTING if name == "for" else _WINDOWS[When(entry["when"])]
    try:
        seconds = duration(str(entry[name])) if name in entry else default
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if not least <= seconds <= LONGEST:
        raise ValueError(f"{name} must be from {least:.0f}s to 24h")
    return seconds


def _min_calls(entry: Mapping[str, Any]) -> int:
    given = entry.get("min_calls", MIN_CALLS)
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= 1_000_000:
        raise ValueError(f"min_calls must be a number from 1 to 1000000, not {given!r}")
    return given
