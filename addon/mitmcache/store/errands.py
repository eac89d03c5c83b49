"""What the writer's thread does beside puts and deletes: it notes what was uploaded, runs jobs on its
connection, and removes temporary files that nobody took.

Between two threads, like `pending`: the lock is never held over I/O.
"""

import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from mitmcache.store import rows
from mitmcache.store.base import StoreError
from mitmcache.store.rows import File
from mitmcache.store.schema import transaction

MAX_MARKS = 10_000
MAX_JOBS = 64
MAX_LITTER = 1000
MARK_SLICE = 1000

type Job[T] = Callable[[sqlite3.Connection], T]


@dataclass(frozen=True, slots=True)
class _Asked:
    job: Job[Any]
    future: Future[Any] = field(default_factory=Future)

    def run(self, db: sqlite3.Connection) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self.job(db)
        except Exception as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class Errands:
    """`wake` brings the writer to call `step` soon, which it does from `open` to `close`."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._marks: dict[str, int] = {}
        self._jobs: deque[_Asked] = deque()
        self._litter: deque[Path] = deque(maxlen=MAX_LITTER)  # what falls out is swept within two hours
        self._closed = True

    def open(self) -> None:
        self._closed = False

    def mark(self, uploaded: File) -> None:
        """The row is in its destination. Kept until it is written, unless there are too many."""
        with self._lock:
            if not self._closed and (uploaded.key in self._marks or len(self._marks) < MAX_MARKS):
                self._marks[uploaded.key] = uploaded.version
        self._wake()

    def marks(self) -> dict[str, int]:
        """Versions by key: uploaded, and still dirty in the database."""
        with self._lock:
            return dict(self._marks)

    def do[T](self, job: Job[T]) -> Future[T]:
        """Has the writer call the job with its connection, in no transaction. StoreError: closed, or too
        many wait."""
        asked = _Asked(job)
        with self._lock:
            if self._closed or len(self._jobs) >= MAX_JOBS:
                raise StoreError("the store is closed" if self._closed else "too many jobs wait for the disk")
            self._jobs.append(asked)
        self._wake()
        return asked.future

    def drop(self, path: Path) -> None:
        """Has the writer remove the file, or does it where there is none."""
        with self._lock:
            closed = self._closed
            if not closed:
                self._litter.append(path)
        if closed:
            _remove(path)
        self._wake()

    # the writer's side

    def step(self, db: sqlite3.Connection) -> None:
        """All there is to do. Raises what the noting of uploads raises; they are noted by a later step."""
        for asked in self._empty():
            asked.run(db)
        while marks := self._some_marks():
            with transaction(db):
                rows.clean(db, marks)
            self._forget(marks)

    def close(self) -> None:
        """Takes nothing more; what waits is given up."""
        for asked in self._empty(closing=True):
            if asked.future.set_running_or_notify_cancel():
                asked.future.set_exception(StoreError("the store is closed"))

    def _empty(self, *, closing: bool = False) -> list[_Asked]:
        """Takes the jobs that wait, and removes the files."""
        with self._lock:
            self._closed = self._closed or closing
            jobs, litter = list(self._jobs), list(self._litter)
            self._jobs.clear()
            self._litter.clear()
        for path in litter:
            _remove(path)
        return jobs

    def _some_marks(self) -> list[File]:
        with self._lock:
            return [File(*mark) for mark in islice(self._marks.items(), MARK_SLICE)]

    def _forget(self, marks: list[File]) -> None:
        with self._lock:
            for mark in marks:
                if self._marks.get(mark.key) == mark.version:
                    del self._marks[mark.key]


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
