"""Values too large for a row, a file each: blobs/<first two digits of the key>/<key>.<version>.

A name is never used twice, so a file is written before the row that names it is committed and removed
after the row is gone: whoever is killed between leaves a file that no row names, and nothing worse.
No fsync: after a power cut a file may be short or empty, and a reader takes it for a miss.
"""

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from mitmcache.store.base import LARGE, Blob, Large
from mitmcache.store.rows import CHANCE, File

INLINE_BYTES = 64 * 1024
SHARDS = tuple(f"{n:02x}" for n in range(256))


class Blobs:
    """Every method but `stage` may raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "blobs"
        self._staging = folder / "tmp"

    def create(self) -> None:
        for path in (self._root, self._staging):
            path.mkdir(mode=0o700, exist_ok=True)

    def stage(self) -> Path:
        """A new name for a temporary file, which is private by its folder."""
        return self._staging / secrets.token_hex(12)

    def write(self, file: File, blob: bytes) -> None:
        path = self.path(file)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as target:
                left = memoryview(blob)
                while left:
                    left = left[target.write(left) :]
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def place(self, temporary: Path, file: File) -> None:
        """Takes over a finished file of the staging folder. Once more does no harm."""
        path = self.path(file)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            temporary.chmod(0o600)
            temporary.replace(path)
        except FileNotFoundError:
            if not path.exists():
                raise

    def read(self, file: File, size: int) -> Blob | None:
        """None: there is no file of exactly `size` bytes. More than LARGE bytes come as an open file."""
        return load(self.path(file), size)

    def remove(self, files: Iterable[File]) -> None:
        """Tries each, whatever becomes of the others."""
        failed: OSError | None = None
        for file in files:
            try:
                self.path(file).unlink(missing_ok=True)
            except OSError as error:
                failed = error
        if failed:
            raise failed

    def aged(self, shard: str, before: float) -> Iterator[Path]:
        """The shard's files last written before that Unix time."""
        return _aged(self._root / shard, before)

    def path(self, file: File) -> Path:
        # the first database version had no versions, and named a file by its key alone
        name = f"{file.key}.{file.version:x}" if file.version & CHANCE else file.key
        return self._root / file.key[:2] / name

    def remove_aged_staging(self, before: float) -> None:
        for path in _aged(self._staging, before):
            path.unlink(missing_ok=True)


def key_of(path: Path) -> str:
    return path.name.partition(".")[0]


def load(path: Path, size: int) -> Blob | None:
    """What is in the file; None: there is none of exactly `size` bytes."""
    try:
        file = path.open("rb", buffering=-1 if size > LARGE else 0)
    except FileNotFoundError:
        return None
    try:
        whole = os.fstat(file.fileno()).st_size == size
        if whole and size > LARGE:
            return Large(file, size)
        blob = file.read(size) if whole else b""
    except BaseException:
        file.close()
        raise
    file.close()
    return blob if whole and len(blob) == size else None


def _aged(folder: Path, before: float) -> Iterator[Path]:
    try:
        with os.scandir(folder) as files:
            for file in files:
                with contextlib.suppress(FileNotFoundError):
                    if file.stat().st_mtime < before:
                        yield Path(file.path)
    except FileNotFoundError:
        return
