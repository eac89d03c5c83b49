"""One record between the bucket and this machine, sealed or not: blocking, for threads."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from mitmcache.store.base import LARGE, Blob, Large, Staged, StoreError
from mitmcache.store.s3 import MOST, Fetched, Objects
from mitmcache.store.s3_large import Received, create, local

WRITE_SECONDS = 30.0
WRITE_RATE = 1 << 20
"""Bytes a second: the slowest upload of a large record that is not given up."""

type Stage = Callable[[], Path]
"""Makes an empty file of ours. What is in it then replaces it or goes."""


class Seal(Protocol):
    """See store/seal.py. What cannot be opened is a ValueError."""

    def seal(self, name: str, blob: bytes) -> bytes: ...
    def open(self, name: str, data: bytes) -> bytes: ...
    def seal_file(self, name: str, source: BinaryIO, target: BinaryIO) -> int: ...
    def open_file(self, name: str, source: BinaryIO, target: BinaryIO) -> int: ...


class Unreadable(Exception):
    """It is not sealed with our secret, or was changed since."""


class Transfer:
    """A `stage` of None makes its files in the system's folder for temporary ones."""

    def __init__(self, objects: Objects, seal: Seal | None, stage: Stage | None) -> None:
        self._objects = objects
        self._seal = seal
        self._stage = stage or _temporary

    def get(self, name: str, deadline: float, large: Callable[[], None]) -> Blob | None:
        """See `Objects.get`. `large` is called when a large one begins to come, which takes longer.
        Raises Unreadable too."""

        def stage() -> Path:
            large()
            return self._file()

        found = self._objects.get(name, deadline=deadline, stage=stage, most=MOST)
        if not isinstance(found, Fetched):
            return None
        if self._seal is None:
            return found.body
        try:
            if isinstance(found.body, bytes):
                return self._seal.open(name, found.body)
            with found.body.file as file:
                return self._opened(self._seal, name, file)
        except ValueError:
            raise Unreadable from None

    def put(self, name: str, blob: bytes | Staged | Large) -> None:
        """A staged file stays, and so does an open one. StoreError."""
        deadline = WRITE_SECONDS + len(blob) / WRITE_RATE
        if isinstance(blob, bytes):
            self._objects.put(name, self._seal.seal(name, blob) if self._seal else blob, deadline=deadline)
            return
        with _reading(blob) as file:
            if self._seal is None:
                self._objects.put(name, file, deadline=deadline)
                return
            with self._sealed(self._seal, name, file) as whole:
                self._objects.put(name, whole, deadline=deadline)

    def _file(self) -> Path:
        try:
            return self._stage()
        except OSError as error:  # not the bucket's failure
            raise StoreError(f"cannot make a file for a large record: {error.strerror}") from error

    def _opened(self, seal: Seal, name: str, source: BinaryIO) -> Blob:
        """A sealed record is longer than what is in it: it may turn out not to be large."""
        path = self._file()
        try:
            with local(path), create(path) as target:
                size = seal.open_file(name, source, target)
            file = Received(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        if size > LARGE:
            return Large(file, size)
        with file:
            return file.read()

    @contextmanager
    def _sealed(self, seal: Seal, name: str, source: BinaryIO) -> Iterator[BinaryIO]:
        path = self._file()
        try:
            with local(path), create(path) as target:
                seal.seal_file(name, source, target)
            with path.open("rb") as whole:
                yield whole
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def _reading(blob: Staged | Large) -> Iterator[BinaryIO]:
    """At its first byte."""
    if isinstance(blob, Large):
        blob.file.seek(0)
        yield blob.file
        return
    try:
        file = blob.path.open("rb")
    except OSError as error:
        raise StoreError(f"cannot read {blob.path}: {error.strerror}") from error
    with file:
        yield file


def _temporary() -> Path:
    number, name = tempfile.mkstemp(prefix="mitmcache-")
    os.close(number)
    return Path(name)
