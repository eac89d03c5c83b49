"""The head of SQLite's WAL index: bytes that change with every commit, whichever process or program made it.

It is what SQLite itself compares to see whether its page cache is still good, in memory that all processes
with the database open share: https://sqlite.org/walformat.html#the_wal_index_header_format. Nothing of it
is read here but whether it is the same.
"""

import mmap
import os
import sqlite3
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FORMAT = (3007000).to_bytes(4, sys.byteorder)
COPY = 48
"""Bytes. The head is there twice: a commit writes the second copy first."""


@dataclass(slots=True)
class _Shared:
    """Of all stores of this process that have the file: to close any descriptor of a file ends the locks that
    the process has on it, and SQLite has some for as long as it has the database open."""

    descriptor: int
    bytes: mmap.mmap
    users: int = 0


_shared: dict[tuple[int, int], _Shared] = {}
_lock = threading.Lock()


class WalHead:
    """Raises OSError or ValueError where there is no such file, or none that can be mapped or is known.

    `db` is open, has read once, and stays open for as long as this is used.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._path = Path(_name(db) + "-shm")
        with _lock:
            self._identity, shared = _share(self._path)
            if shared.bytes[: len(FORMAT)] != FORMAT:
                raise ValueError("a WAL index of an unknown format")
            shared.users += 1
        self._bytes = shared.bytes

    def is_still(self, seen: bytes) -> bool:
        """Nobody has committed since `read` gave these bytes. Takes 0.1 us, and asks no file system."""
        return self._bytes[: 2 * COPY] == seen

    def read(self) -> bytes:
        """b"" in the middle of a commit. A read of the database that begins later sees what was committed
        until now."""
        read = self._bytes[: 2 * COPY]
        return read if read[:COPY] == read[COPY:] else b""

    @property
    def is_current(self) -> bool:
        """False: another database has taken the place of ours."""
        try:
            status = self._path.stat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def close(self) -> None:
        """Only once the store has no connection to the database any more. Not to be used after it."""
        with _lock:
            shared = _shared[self._identity]
            shared.users -= 1
            if not shared.users:
                del _shared[self._identity]
                shared.bytes.close()
                os.close(shared.descriptor)


def _name(db: sqlite3.Connection) -> str:
    """With no symbolic link in it, as SQLite uses it."""
    return str(db.execute("PRAGMA database_list").fetchone()[2])


def _share(path: Path) -> tuple[tuple[int, int], _Shared]:
    """What is once open stays so until its last user has closed it, or for good if it had none."""
    if os.name != "posix":
        raise OSError("a file that is open cannot be removed here, and SQLite will want to")
    status = path.stat()
    identity = status.st_dev, status.st_ino
    if identity in _shared:
        return identity, _shared[identity]
    descriptor = os.open(path, os.O_RDONLY)
    status = os.fstat(descriptor)
    identity = status.st_dev, status.st_ino
    with suppress(KeyError):  # it took the other's place just now
        return identity, _shared[identity]
    shared = _Shared(descriptor, mmap.mmap(descriptor, 2 * COPY, access=mmap.ACCESS_READ))
    return identity, _shared.setdefault(identity, shared)
