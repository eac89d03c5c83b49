"""The clock of deadlines, which a test turns forward: so that they may be long on a busy machine, and are
over all the same."""

import time
from collections.abc import Callable

import pytest

from mitmcache.store import s3_limits
from mitmcache.store.s3_limits import Limit


class Clock:
    """As `time` is to store/s3_limits.py, `ahead` seconds further on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        monkeypatch.setattr(s3_limits, "time", self)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


SECONDS = 30.0
"""A deadline; the clock is turned further than that."""
RATE = (1 << 20) // SECONDS
"""What keeps coming earns as much for each MiB."""


def turn_in_the_middle(
    monkeypatch: pytest.MonkeyPatch, also: Callable[[float], object] = lambda ahead: None
) -> None:
    """When 2 MiB of an answer have come, SECONDS are over."""
    clock, take = Clock(monkeypatch), Limit.take

    def taken(limit: Limit, count: int) -> None:
        take(limit, count)
        if limit._received >= 2 << 20 and not clock.ahead:
            clock.ahead = SECONDS + 10
            also(clock.ahead)

    monkeypatch.setattr(Limit, "take", taken)
    monkeypatch.setattr(s3_limits, "RATE", RATE)
