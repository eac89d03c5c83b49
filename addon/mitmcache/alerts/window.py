"""Sums of the calls of the last so many seconds, in memory that does not grow with their number."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from mitmcache.journal.event import Event

SLOTS = 60
"""A window moves on in so many steps."""


@dataclass(slots=True)
class Sums:
    """`upstream` calls had to be answered by a provider, and `failed` of them were not; `asked` for in the
    cache, and `hits` of them; `dollars` billed."""

    upstream: int = 0
    failed: int = 0
    asked: int = 0
    hits: int = 0
    dollars: float = 0.0

    def add(self, other: "Sums") -> None:
        self.upstream += other.upstream
        self.failed += other.failed
        self.asked += other.asked
        self.hits += other.hits
        self.dollars += other.dollars


def sums(events: Iterable[Event]) -> Sums:
    made = Sums()
    for event in events:
        hit = event.word in ("HIT", "STALE")
        made.hits += hit
        made.asked += hit or event.word == "MISS"
        covered = event.word == "STALE" and not event.tier  # an old answer in place of a failure
        if covered or (not hit and (event.dialled or event.status == 0)):
            made.upstream += 1
            made.failed += covered or _failed(event)
        if event.cost and event.ledger == "billed":
            made.dollars += event.cost.total
    return made


def _failed(event: Event) -> bool:
    """It is not the caller's doing: neither a bad request, nor that they left."""
    if "client" in event.error.lower():
        return False
    return bool(event.error) or event.status in (0, 429) or event.status >= 500


class Window:
    """Over the last `seconds`, give or take a sixtieth. `now` only goes forward."""

    def __init__(self, seconds: float) -> None:
        self._step = seconds / SLOTS
        self._slots: deque[tuple[int, Sums]] = deque()

    def add(self, now: float, new: Sums) -> None:
        at = int(now / self._step)
        if not self._slots or self._slots[-1][0] != at:
            self._slots.append((at, Sums()))
            self._forget(at)
        self._slots[-1][1].add(new)

    def total(self, now: float) -> Sums:
        self._forget(int(now / self._step))
        made = Sums()
        for _, each in self._slots:
            made.add(each)
        return made

    def _forget(self, at: int) -> None:
        while self._slots and self._slots[0][0] <= at - SLOTS:
            self._slots.popleft()
