"""When a slow or dead bucket is left alone, and when it is tried again."""

from collections import deque

FAILURES = 5
WINDOW = 10.0
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 30.0


class Breaker:
    """Closed at first. `now` is any clock that only goes forward, in seconds, the same for every call.

    What is asked while it is open changes nothing: only a probe closes it. The methods that may change it
    return True when they do, so that the caller can say so once each way.
    """

    def __init__(self) -> None:
        self.probe_at: float | None = None
        """When the next probe is due; None while it is closed."""
        self._failures: deque[float] = deque(maxlen=FAILURES)
        self._pause = FIRST_PAUSE

    @property
    def is_open(self) -> bool:
        return self.probe_at is not None

    def failed(self, now: float) -> bool:
        """One failure among others. True: it was the fifth within ten seconds, and the breaker opens."""
        if self.is_open:
            return False
        self._failures.append(now)
        if len(self._failures) < FAILURES or now - self._failures[0] > WINDOW:
            return False
        return self.trip(now)

    def trip(self, now: float) -> bool:
        """For a failure that will not pass by itself. True: the breaker was closed, and is open now."""
        if self.is_open:
            return False
        self._failures.clear()
        self._pause = FIRST_PAUSE
        self.probe_at = now + self._pause
        return True

    def probed(self, now: float, *, ok: bool) -> bool:
        """How a probe ended. True: the breaker was open, and is closed now."""
        if not self.is_open:
            return False
        if ok:
            self.probe_at = None
            return True
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self.probe_at = now + self._pause
        return False
