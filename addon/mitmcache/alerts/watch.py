"""Whether a rule's condition is met, and who has been told of it already."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from mitmcache.alerts.rules import Rule, When
from mitmcache.alerts.window import Window, sums
from mitmcache.journal.event import Event

CALM = 60.0
"""Seconds that it has to be well before it is said to be: what comes and goes is one alert."""

type Status = Literal["firing", "resolved"]


@dataclass(frozen=True, slots=True)
class Notice:
    """`summary` is a sentence for people. `lasted` is in seconds, until now or until it was well again."""

    rule: Rule
    status: Status
    summary: str
    value: float
    lasted: float
    ended: float = 0.0
    """Seconds ago, of what is resolved."""


@dataclass(frozen=True, slots=True)
class _Reading:
    met: bool
    value: float
    summary: str


class _State:
    def __init__(self, rule: Rule) -> None:
        self.window = Window(rule.window) if rule.window else None
        self.met_at: float | None = None
        self.told_at: float | None = None
        """None: it is not firing."""
        self.well_at: float | None = None
        self.summary = ""


class Watch:
    """`now` is any clock that only goes forward, in seconds, the same for every call."""

    def __init__(self, repeat: float = 0.0, rules: Sequence[Rule] = ()) -> None:
        self._states: dict[Rule, _State] = {}
        self.watch(repeat, rules)

    def watch(self, repeat: float, rules: Sequence[Rule]) -> None:
        """From now on; what is known of a rule that stays is not forgotten."""
        self._repeat = repeat
        self._states = {rule: self._states.get(rule) or _State(rule) for rule in rules}

    def note(self, events: Iterable[Event], now: float) -> None:
        if windows := [state.window for state in self._states.values() if state.window]:
            new = sums(events)
            for window in windows:
                window.add(now, new)

    def look(self, now: float, down: Iterable[str] = ()) -> list[Notice]:
        """What is to be told now: once when it begins, again while it lasts, once when it is over. `down`
        are the names of the stores that are."""
        tiers = sorted(down)
        found = [self._step(rule, state, now, tiers) for rule, state in self._states.items()]
        return [notice for notice in found if notice]

    def _step(self, rule: Rule, state: _State, now: float, down: list[str]) -> Notice | None:
        reading = _read(rule, state, now, down)
        if reading.met:
            return self._met(rule, state, now, reading)
        if state.told_at is None or state.met_at is None:
            state.met_at = None
            return None
        state.well_at = now if state.well_at is None else state.well_at
        if now - state.well_at < CALM:
            return None
        notice = Notice(
            rule,
            "resolved",
            state.summary,
            reading.value,
            lasted=state.well_at - state.met_at,
            ended=now - state.well_at,
        )
        state.met_at = state.told_at = state.well_at = None
        return notice

    def _met(self, rule: Rule, state: _State, now: float, reading: _Reading) -> Notice | None:
        state.summary, state.well_at = reading.summary, None
        state.met_at = now if state.met_at is None else state.met_at
        if state.told_at is None:
            due = now - state.met_at >= rule.lasting
        else:
            due = now - state.told_at >= self._repeat
        if not due:
            return None
        state.told_at = now
        return Notice(rule, "firing", reading.summary, reading.value, now - state.met_at)


def _read(rule: Rule, state: _State, now: float, down: list[str]) -> _Reading:
    if rule.when is When.STORE_DOWN or state.window is None:
        return _Reading(bool(down), len(down), f"{' and '.join(down)} cannot be used")
    total, over = state.window.total(now), _length(rule.window)
    if rule.when is When.SPEND_PER_HOUR:
        spend = total.dollars * 3600 / rule.window
        text = f"{spend:.2f} dollars an hour over {over}, more than {rule.threshold:g}"
        return _Reading(spend > rule.threshold, spend, text)
    errors = rule.when is When.ERROR_RATIO
    part, whole = (total.failed, total.upstream) if errors else (total.hits, total.asked)
    ratio = part / whole if whole else 0.0
    met = ratio > rule.threshold if errors else ratio < rule.threshold
    what, than = ("failed", "more") if errors else ("were hits", "less")
    text = f"{part} of {whole} calls over {over} {what}, {ratio:.1%}, {than} than {rule.threshold:.1%}"
    return _Reading(met and whole >= rule.min_calls, ratio, text)


def _length(seconds: float) -> str:
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"
