"""One at a time, in a folder, across processes."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = ".mitmcache.lock"
PAUSE = 0.05


@contextmanager
def turn(folder: Path, end: float, *, needed: bool = True) -> Iterator[None]:
    """Waits, at most until `end` (of time.monotonic), while another process has its turn in this folder.

    The kernel ends a turn with its process. Raises OSError: TimeoutError, or what forbids the lock's file.
    """
    if not needed:
        yield
        return
    file = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise TimeoutError(
                        None, "another process has been at it for too long", str(folder)
                    ) from None
                time.sleep(PAUSE)
        yield
    finally:
        os.close(file)
