"""What the loop has accepted and the writer thread has not yet written: a bounded queue that can be read.

Between two threads: the loop adds and looks, the writer takes and finishes. The lock is held for dict
operations only, never over I/O, so that the loop does not wait for the disk.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mitmcache.store.base import Entry, Staged
from mitmcache.store.rows import File, new_version

BATCH = 64
PACE = 0.1
"""Seconds: all that a process that is killed loses. A transaction costs as much as five rows, and takes the
interpreter from the loop each time."""
MAX_TOUCHED = 10_000
CHANGE_OVERHEAD = 512


@dataclass(frozen=True, slots=True)
class Change:
    """A put, or with no entry a delete. `at` is Unix time; `number` grows in order of acceptance.

    `over`: the put takes the place of whatever row there is.
    """

    key: str
    entry: Entry | None
    at: float
    number: int
    version: int
    over: bool = True

    @property
    def file(self) -> File:
        return File(self.key, self.version)

    @property
    def staged(self) -> Staged | None:
        return self.entry.blob if self.entry and isinstance(self.entry.blob, Staged) else None

    @property
    def cost(self) -> int:
        """In memory."""
        if self.entry is None:
            return CHANGE_OVERHEAD
        blob = 0 if isinstance(self.entry.blob, Staged) else len(self.entry.blob)
        return CHANGE_OVERHEAD + blob + len(self.entry.shape)


class Pending:
    """`drop` is called with the temporary file of a put that another one has replaced."""

    def __init__(self, max_bytes: int, max_count: int, max_staged: int, drop: Callable[[Path], None]) -> None:
        self._max_bytes = max_bytes
        self._max_count = max_count
        self._max_staged = max_staged
        self._drop = drop
        self._wake = threading.Condition()
        self._queued: dict[str, Change] = {}
        self._taken: dict[str, Change] = {}
        self._bytes = 0
        self._staged = 0
        self._number = 0
        self._touched: dict[str, float] = {}
        self._flushes: list[tuple[int, Future[None]]] = []
        self._due: list[tuple[int, Future[None]]] = []
        self._taken_at = -PACE
        self._woken = False
        self._closed = False

    def add(self, key: str, entry: Entry | None, at: float) -> bool:
        """False: closed, or no room. A change to a key that is still queued takes that one's place; but a
        copy takes no put's place, and is dropped.

        A delete holds no bytes, and must not be lost to a burst of puts: it may take twice the count.
        """
        with self._wake:
            old = self._queued.get(key)
            copy = entry is not None and entry.copy
            if copy and (pending := old or self._taken.get(key)) and pending.entry:
                ignored = True
            elif self._enter(key, entry, at, old, over=not copy or old is not None):
                ignored = False
            else:
                return False
        unwanted = entry.blob if ignored and entry else old and old.entry and old.entry.blob
        if isinstance(unwanted, Staged):
            self._drop(unwanted.path)
        return True

    def _enter(self, key: str, entry: Entry | None, at: float, old: Change | None, *, over: bool) -> bool:
        number = old.number if old else self._number + 1
        change = Change(key, entry, at, number, new_version(at) if entry else 0, over)
        grown = self._bytes + change.cost - (old.cost if old else 0)
        staged = self._staged + _staged(change) - (_staged(old) if old else 0)
        count = len(self._queued) + len(self._taken) + (old is None)
        if self._closed or count > self._max_count * (1 if entry else 2):
            return False
        if entry and (grown > self._max_bytes or staged > self._max_staged):
            return False
        self._queued[key] = change
        self._bytes = grown
        self._staged = staged
        self._number = max(number, self._number)
        if len(self._queued) in (1, BATCH) or self._pressing:
            self._wake.notify()
        return True

    @property
    def waiting(self) -> tuple[int, int]:
        """Changes that are accepted and not yet written, and the bytes that they hold in memory."""
        with self._wake:
            return len(self._queued) + len(self._taken), self._bytes

    def find(self, key: str) -> Change | None:
        with self._wake:
            return self._queued.get(key) or self._taken.get(key)

    def changes(self) -> dict[str, Change]:
        """Every change not yet written, the latest of each key, oldest first."""
        with self._wake:
            return self._taken | self._queued

    def touch(self, key: str, at: float) -> None:
        with self._wake:
            if key in self._touched or len(self._touched) < MAX_TOUCHED:
                self._touched[key] = at

    def flush(self) -> Future[None]:
        """Done once all that is queued now is written or given up, in a cycle of the writer that begins
        after this call."""
        future: Future[None] = Future()
        with self._wake:
            self._flushes.append((self._number, future))
            self._wake.notify()
        return future

    def wake(self) -> None:
        """Begins a cycle of the writer, with or without changes."""
        with self._wake:
            self._woken = True
            self._wake.notify()

    def close(self) -> None:
        with self._wake:
            self._closed = True
            self._wake.notify()

    # the writer's side

    def take(self, idle: float) -> list[Change]:
        """The next batch, or an empty one after `idle` seconds without any.

        What comes alone is taken at once. In a burst, batches form: they are `PACE` seconds apart, unless
        they are full or somebody waits for one.
        """
        with self._wake:
            if not (self._queued or self._woken or self._urgent):
                self._wake.wait(idle)
            if self._queued and not self._woken:
                left = self._taken_at + PACE - time.monotonic()
                self._wake.wait_for(lambda: self._woken or self._urgent or self._pressing, max(left, 0))
            self._woken = False
            self._due = list(self._flushes)
            for key in list(islice(self._queued, BATCH)):
                self._taken[key] = self._queued.pop(key)
            self._taken_at = time.monotonic() if self._taken else self._taken_at
            return list(self._taken.values())

    def done(self) -> None:
        """What was taken is written or given up."""
        with self._wake:
            self._bytes -= sum(change.cost for change in self._taken.values())
            self._staged -= sum(map(_staged, self._taken.values()))
            self._taken = {}

    def settle(self) -> None:
        """Ends the cycle: answers the flushes that were asked for before it and have nothing left queued."""
        with self._wake:
            oldest = next((change.number for change in self._queued.values()), self._number + 1)
            ready = [flush for flush in self._due if flush[0] < oldest]
            self._flushes = [flush for flush in self._flushes if flush not in ready]
        for _, future in ready:
            if future.set_running_or_notify_cancel():
                future.set_result(None)

    def take_touched(self, limit: int) -> dict[str, float]:
        with self._wake:
            keys = list(islice(self._touched, limit))
            return {key: self._touched.pop(key) for key in keys}

    @property
    def flushing(self) -> bool:
        return self._urgent

    @property
    def touched(self) -> int:
        return len(self._touched)

    @property
    def finished(self) -> bool:
        with self._wake:
            return self._closed and not self._queued and not self._flushes

    @property
    def _pressing(self) -> bool:
        """There is a batch, or half of what there is room for."""
        return len(self._queued) >= BATCH or self._bytes * 2 >= self._max_bytes

    @property
    def _urgent(self) -> bool:
        return self._closed or bool(self._flushes)


def _staged(change: Change) -> int:
    return change.staged.size if change.staged else 0
