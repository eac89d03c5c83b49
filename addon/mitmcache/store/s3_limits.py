"""How long one operation on the bucket may take, all its phases together, and how much it may bring.

A socket's own timeout is per system call: a server that sends one byte a second never meets it. So the
operation's limit is asked before each connect, send and receive (see s3_transport.py).
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

RATE = 8 << 20
"""Bytes a second that a large transfer must keep up once its deadline has passed."""
MOST = 64 << 20
"""Bytes of an answer that is read into memory, headers and errors with it."""


class TooMuch(Exception):
    """The answer is longer than it may be."""


class Limit:
    """Begins with `seconds`. `grow` adds the time that more bytes may take."""

    def __init__(self, seconds: float) -> None:
        self._start = time.monotonic()
        self._seconds = seconds
        self._streamed = False
        self._received = 0

    def left(self) -> float:
        """Seconds; zero or less when it is over."""
        earned = self._received / RATE if self._streamed else 0.0
        return self._start + self._seconds + earned - time.monotonic()

    def streamed(self) -> None:
        """The answer may be long now, and each byte that comes earns time for the next."""
        self._streamed = True

    def take(self, count: int) -> None:
        """So many bytes have come. Raises TooMuch."""
        self._received += count
        if self._received > MOST and not self._streamed:
            raise TooMuch


_current = threading.local()


@contextmanager
def within(seconds: float) -> Iterator[Limit]:
    """What this thread does with the bucket in the block is under the limit, which is total."""
    before = getattr(_current, "limit", None)
    _current.limit = limit = Limit(seconds)
    try:
        yield limit
    finally:
        _current.limit = before


def current() -> Limit | None:
    return getattr(_current, "limit", None)


def streaming() -> None:
    """What this thread receives from now on goes to a file."""
    if limit := current():
        limit.streamed()


def wait(longest: float) -> float:
    """How long the next system call may wait. Raises TimeoutError when the limit is over."""
    limit = current()
    if limit is None:
        return longest
    left = limit.left()
    if left <= 0:
        raise TimeoutError("the deadline is over")
    return min(left, longest)


def took(count: int) -> None:
    if limit := current():
        limit.take(count)
