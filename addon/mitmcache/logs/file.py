"""Where lines go: a file that never grows beyond its limit, or a stream that is open already."""

import fcntl
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

KEPT = 3
"""Older files beside the one that is written: FILE.1 is the newest of them."""


DEVICES = Path("/dev")
"""What is named here, such as /dev/stdout, is never moved, whatever it stands for."""


class Target(Protocol):
    def write(self, lines: Sequence[bytes]) -> None:
        """All of them, each with its newline. Blocks. Raises OSError: some are lost."""

    def close(self) -> None: ...


class Stream:
    """A descriptor that is somebody else's, such as standard error."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, lines: Sequence[bytes]) -> None:
        _write(self._descriptor, b"".join(lines))

    def close(self) -> None: ...


class LogFile:
    """Appends, one thread at a time. New files have mode 0600; with `private`, one that is there gets it too.

    A file that another program has moved away or removed (logrotate) is opened anew. One of `limit` bytes is
    moved away here; 0: never. Several processes may share it. Raises OSError where it cannot be opened.
    """

    def __init__(self, path: Path, limit: int, *, private: bool = False) -> None:
        self._device = path.is_relative_to(DEVICES)
        # of a link it is the file that is moved, and not the link
        self._path = path if self._device else path.resolve()
        self._limit, self._private = limit, private
        self._descriptor = -1
        self._torn = False
        self._open()

    def write(self, lines: Sequence[bytes]) -> None:
        if self._descriptor < 0 or self._moved():
            self._open()
        pending: list[bytes] = [b"\n"] if self._torn else []
        size = os.fstat(self._descriptor).st_size + len(pending)
        for line in lines:
            if self._movable and size and size + len(line) > self._limit:
                self._append(pending)
                self._rotate()
                pending, size = [], os.fstat(self._descriptor).st_size
            pending.append(line)
            size += len(line)
        self._append(pending)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, lines: list[bytes]) -> None:
        # where the disk is full, half a line may be all that fits: the next one begins on its own
        self._torn = True
        _write(self._descriptor, b"".join(lines))
        self._torn = False

    def _open(self) -> None:
        self.close()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
        # a FIFO that nobody reads is an error then, and does not wait
        self._descriptor = os.open(self._path, flags | os.O_NONBLOCK, 0o600)
        os.set_blocking(self._descriptor, True)
        regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        self._movable = bool(self._limit) and regular and not self._device
        if self._private and regular:
            os.fchmod(self._descriptor, 0o600)

    def _moved(self) -> bool:
        try:
            there, mine = self._path.stat(), os.fstat(self._descriptor)
        except FileNotFoundError:
            return True
        return (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino)

    def _rotate(self) -> None:
        # another process may be about to do the same: the second finds the file moved
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        if not self._moved():
            for number in range(KEPT, 0, -1):
                older = self._numbered(number - 1) if number > 1 else self._path
                if older.exists():
                    older.replace(self._numbered(number))
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
