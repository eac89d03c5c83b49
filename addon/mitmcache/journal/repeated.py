"""What many calls have in common, made once."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

from mitmcache.exchange import Usage
from mitmcache.journal.event import Cost, Event

OWN = ("id", "began", "duration", "decided", "first_byte", "received", "parent")
"""The fields of an event that are another call's never."""
MOST = 512
"""Kinds of calls that are remembered, a few kB each."""
LONGEST = 2048
"""Characters of all texts of a call that is remembered; others choose some of them."""

# `usage` and `cost` are one object over the hits of one answer, which is compared faster than their values.
# The others in `_alike` and OWN are all that an event has, but `nearest`, `differs` and `error`: see `of`.
_alike = attrgetter(
    *("key", "word", "client", "agent", "provider", "host", "dialect", "operation", "model", "reason"),
    *("unstored", "tier", "status", "streamed", "request_size", "response_size", "dialled"),
    *("response_model", "service_tier", "port"),
)


@dataclass(slots=True)
class _Kind[T]:
    usage: Usage | None
    cost: Cost | None
    made: T


class Repeated[T]:
    """Remembers what `make` makes of an event, for those that are like it in all but OWN: the hits of one
    answer by one client. `make` must not look at OWN. For one thread at a time."""

    def __init__(self, make: Callable[[Event], T]) -> None:
        self._make = make
        self._kinds: dict[tuple[object, ...], _Kind[T]] = {}

    def of(self, event: Event) -> T:
        # misses are seldom repeated, and the rest may be long
        if event.ledger != "saved" or event.error or event.nearest or event.differs:
            return self._make(event)
        alike = _alike(event)
        kind = self._kinds.get(alike)
        if kind and kind.usage is event.usage and kind.cost is event.cost:
            return kind.made
        made = self._make(event)
        if sum(len(value) for value in alike if isinstance(value, str)) <= LONGEST:
            self._kinds.pop(alike, None)
            if len(self._kinds) >= MOST:
                del self._kinds[next(iter(self._kinds))]
            self._kinds[alike] = _Kind(event.usage, event.cost, made)
        return made
