"""What the tests of the disk store share."""

import logging
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import pytest

from mitmcache.store.disk import DiskStore
from mitmcache.store.schema import DATABASE


class Clock:
    """Says what it is told."""

    def __init__(self) -> None:
        self.time = 1_000_000.0

    def __call__(self) -> float:
        return self.time


type OpenDisk = Callable[..., DiskStore]


class Tmpfs:
    """A small file system, which can be full or read-only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mount(self, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        subprocess.run(command, check=True, capture_output=True)

    def remount(self, options: str) -> None:
        command = ["mount", "-o", f"remount,{options}", str(self.folder)]
        subprocess.run(command, check=True, capture_output=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], check=False, capture_output=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the database's write lock, as another process would: the writer waits."""
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What has been warned of; nothing may be louder."""
    assert not [record for record in caplog.records if record.levelno > logging.WARNING]
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def query(folder: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as db:
        return db.execute(sql).fetchall()


def names(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


def files(folder: Path) -> list[Path]:
    """The blob files and the temporary ones."""
    return [path for name in ("blobs", "tmp") for path in (folder / name).rglob("*") if path.is_file()]


_opened: list[tuple[str, int]] = []
_listening = False


def _hear(event: str, args: tuple[object, ...]) -> None:
    if _listening and (event == "open" or event.startswith(("os.", "sqlite3."))):
        _opened.append((event, threading.get_ident()))


@cache
def _hook() -> None:
    sys.addaudithook(_hear)  # cannot be taken off again


@contextmanager
def file_events() -> Iterator[list[tuple[str, int]]]:
    """Gathers what files are opened, renamed or removed, and in which thread."""
    global _listening
    _hook()
    _opened.clear()
    _listening = True
    try:
        yield _opened
    finally:
        _listening = False
