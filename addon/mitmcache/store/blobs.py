"""Values too large for a row, a file each: blobs/<first two digits of the key>/<key>.

No fsync: after a power cut a file may be short or empty, and a reader takes it for a miss.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

INLINE_BYTES = 64 * 1024
SHARDS = tuple(f"{n:02x}" for n in range(256))


class Blobs:
    """Every method may raise OSError. `place` and `remove` belong inside a write transaction, so that
    two processes never rename and unlink one key's file at once."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "blobs"
        self._staging = folder / "tmp"

    def create(self) -> None:
        for path in (self._root, self._staging):
            path.mkdir(mode=0o700, exist_ok=True)

    def stage(self, blob: bytes) -> Path:
        """Writes a temporary file, the slow part, for `place` to rename."""
        temporary = self._staging / secrets.token_hex(12)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                left = memoryview(blob)
                while left:
                    left = left[file.write(left) :]
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return temporary

    def place(self, temporary: Path, key: str) -> None:
        path = self._path(key)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        temporary.replace(path)

    def read(self, key: str, size: int) -> bytes | None:
        """None: there is no file of exactly `size` bytes."""
        try:
            with self._path(key).open("rb") as file:
                blob = file.read(size + 1)
        except FileNotFoundError:
            return None
        return blob if len(blob) == size else None

    def remove(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def aged(self, shard: str, before: float) -> Iterator[str]:
        """Keys of the shard's files last written before that Unix time."""
        return (path.name for path in _aged(self._root / shard, before))

    def remove_if_aged(self, key: str, before: float) -> None:
        """Looks once more: the file may have been replaced since `aged`."""
        path = self._path(key)
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()

    def remove_aged_staging(self, before: float) -> None:
        for path in _aged(self._staging, before):
            path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._root / key[:2] / key


def _aged(folder: Path, before: float) -> Iterator[Path]:
    try:
        with os.scandir(folder) as files:
            for file in files:
                with contextlib.suppress(FileNotFoundError):
                    if file.stat().st_mtime < before:
                        yield Path(file.path)
    except FileNotFoundError:
        return
