"""Work on what calls leave behind, in a thread of its own: it never holds up who hands it over."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)

SPARING = 60.0
"""Seconds between two warnings."""
REST = 0.0001
"""Seconds: what Python needs to let the event loop go on. A thread that computes keeps it waiting for 5 ms,
each time that it has waited for a socket."""


class Background[T]:
    """`work` is called with what was handed over, in order, `step` items at a time with a rest in between,
    and `ended` after the last. What it raises, and what is too much to wait, is lost, counted, and said once
    in a while; `name` is what of.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[T]], None],
        *,
        most: int,
        most_bytes: int,
        step: int,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = name
        self._work, self._ended = work, ended
        self._most, self._most_bytes, self._step = most, most_bytes, step
        self._waiting: deque[tuple[Sequence[T], int]] = deque()
        self._count = self._bytes = 0
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._said, self._said_at = 0, float("-inf")
        self._why = "too many waited"
        self.lost = 0
        """Of the items handed over."""

    def put(self, items: Sequence[T], size: int) -> bool:
        """Returns at once. `size` is about how many bytes they hold. False: they are lost."""
        with self._news:
            if (
                self._closing
                or self._count + len(items) > self._most
                or self._bytes + size > self._most_bytes
            ):
                self.lost += len(items)
                return False
            self._waiting.append((items, size))
            self._count += len(items)
            self._bytes += size
            if self._thread is None:
                self._start()
            self._news.notify()
        return True

    def close(self, deadline: float) -> bool:
        """Nothing more is taken. Waits at most `deadline` seconds until the rest is done; False: it is not.
        Blocks; a second call may follow."""
        with self._news:
            if self._thread is None and not self._closing:
                self._start()
            self._closing = True
            self._news.notify()
            thread = self._thread
        assert thread
        thread.join(deadline)
        return not thread.is_alive()

    def _start(self) -> None:
        # a daemon: a terminal or a server that takes nothing must not keep the process from ending
        self._thread = threading.Thread(target=self._run, name=f"mitmcache {self._name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while batch := self._next():
            items, size = batch
            for start in range(0, len(items) or 1, self._step):
                if start and not self._closing:
                    time.sleep(REST)
                self._try(items[start : start + self._step])
            with self._news:
                self._count -= len(items)
                self._bytes -= size
            self._say()
        self._say(last=True)
        self._ended()

    def _try(self, items: Sequence[T]) -> None:
        try:
            self._work(items)
        except OSError as error:
            self._failed(items, error.strerror or type(error).__name__)
        except Exception as error:
            # what it says may hold what must not be logged
            self._failed(items, type(error).__name__)

    def _next(self) -> tuple[Sequence[T], int] | None:
        with self._news:
            while not self._waiting:
                if self._closing:
                    return None
                self._news.wait()
            return self._waiting.popleft()

    def _failed(self, items: Sequence[T], why: str) -> None:
        with self._news:
            self.lost += len(items)
        self._why = why

    def _say(self, *, last: bool = False) -> None:
        now, lost = time.monotonic(), self.lost
        if lost > self._said and (last or now - self._said_at >= SPARING):
            logger.warning("mitmcache: %s: %d lost so far: %s", self._name, lost, self._why)
            self._said, self._said_at = lost, now
