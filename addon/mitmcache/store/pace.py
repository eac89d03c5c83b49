"""When the next upload may be tried: after a failure of the bucket all wait, after one of a key that key."""

from collections.abc import Callable
from dataclasses import dataclass

AT_ONCE = 4
SHORTEST = 0.5
LONGEST = 30.0
KEY_SHORTEST = 1.0
KEY_LONGEST = 60.0
HEALTHY = 8
"""Uploads in a row that must work before all counts as well again."""
MAX_HELD = 64

type Clock = Callable[[], float]
type Chance = Callable[[], float]
"""Between 0 and 1."""


class Pace:
    """How many uploads may run. `clock` is in seconds, of any origin."""

    def __init__(self, clock: Clock, chance: Chance) -> None:
        self._clock = clock
        self._chance = chance
        self._delay = 0.0
        self._streak = 0
        self.until: float | None = None
        """While paused: when it may be tried again whether the bucket works."""

    @property
    def paused(self) -> bool:
        return self.until is not None

    @property
    def well(self) -> bool:
        return not self.paused and self._streak >= HEALTHY

    def room(self, running: int) -> int:
        """How many more may begin. While paused one alone, once those before the pause have ended."""
        if self.until is None:
            return AT_ONCE - running
        return int(not running and self._clock() >= self.until)

    def failed(self) -> None:
        """Of the uploads that failed together, only the first counts."""
        self._streak = 0
        if self.until is None or self._clock() >= self.until:
            self._delay = min(LONGEST, max(SHORTEST, 2 * self._delay))
            self.until = self._clock() + self._delay * (0.5 + self._chance() / 2)

    def worked(self) -> None:
        """Ends the pause, unless it is one that began before the pause was over. Each halves the next delay:
        a bucket that fails now and then still gets most of what there is."""
        if self.until is not None and self._clock() < self.until:
            return
        self.until = None
        self._streak += 1
        self._delay = 0.0 if self.well else self._delay / 2


@dataclass(slots=True)
class _Hold:
    until: float = 0.0
    delay: float = 0.0
    last: bool = False
    worked: int = 0


class Holds:
    """The keys that failed: which to leave alone for a time, and which to take last while the bucket fails.

    The latter keeps a row that can never be uploaded from being the only one that is tried.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._holds: dict[str, _Hold] = {}
        self._worked = 0

    def hold(self, key: str) -> bool:
        """Leaves it alone, for longer each time. False: too many are held, so it is not the key's doing."""
        hold = self._hold_of(key)
        if hold is None:
            return False
        hold.delay = min(KEY_LONGEST, max(KEY_SHORTEST, 2 * hold.delay))
        hold.until = self._clock() + hold.delay
        hold.worked = self._worked
        return True

    def suspect(self, key: str) -> bool:
        """True: others have worked since it last failed, so it is the key's doing, and it is held."""
        known = self._holds.get(key)
        if known and known.worked < self._worked:
            return self.hold(key)
        if hold := self._hold_of(key):
            hold.last = True
            hold.worked = self._worked
        return False

    def worked(self, key: str) -> None:
        self._holds.pop(key, None)
        self._worked += 1

    def resumed(self) -> None:
        """None is to be taken last any more."""
        for hold in self._holds.values():
            hold.last = False

    def held(self) -> set[str]:
        now = self._clock()
        return {key for key, hold in self._holds.items() if hold.until > now}

    def last(self) -> set[str]:
        return {key for key, hold in self._holds.items() if hold.last}

    def next_end(self, after: float) -> float | None:
        return min((hold.until for hold in self._holds.values() if hold.until > after), default=None)

    def _hold_of(self, key: str) -> _Hold | None:
        """That of the key, or a new one in the place of another whose time is over, if there is none free."""
        if key not in self._holds and len(self._holds) >= MAX_HELD:
            now = self._clock()
            over = next((key for key, hold in self._holds.items() if hold.until <= now), None)
            if over is None:
                return None
            del self._holds[over]
        return self._holds.setdefault(key, _Hold())
