"""Objects that are files: never in memory, on the way up or down."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import IncompleteRead
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mitmcache.store.base import Large, StoreError
from mitmcache.store.s3_limits import within

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef

SINGLE = 64 << 20
"""A larger object goes up in parts."""
PART = 16 << 20
"""R2 wants all parts but the last to be of one size."""
BLOCK = 256 * 1024
ABORT_SECONDS = 5.0
TYPE = "application/octet-stream"
"""And never a Content-Encoding: R2 may undo one."""


class Received(io.BufferedReader):
    """A file that goes when it is closed. Whoever renames it before that keeps it."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self.path = path

    def close(self) -> None:
        if not self.closed:
            super().close()
            self.path.unlink(missing_ok=True)


def save(body: Any, size: int, stage: Callable[[], Path]) -> Large:
    """The `size` bytes that `body.read` gives, in a new file, which is removed if that fails.

    Raises what `body.read` does, and StoreError when it is the file that fails.
    """
    path = stage()
    try:
        file = create(path)
        try:
            left = size
            while left:
                block: bytes = body.read(min(BLOCK, left))
                if not block:
                    raise IncompleteRead(b"", left)
                left -= len(block)
                with local(path):
                    file.write(block)
        finally:
            with local(path):  # it may have something left to write
                file.close()
        return Large(Received(path), size)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def local(path: Path) -> Iterator[None]:
    """For what is done with a file of ours: its failure is not the bucket's."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot use {path}: {error.strerror}") from error


def create(path: Path) -> BinaryIO:
    """The file, empty and for nobody else to read. StoreError."""
    with local(path):
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


class Part(io.RawIOBase):
    """A part of an open file, as a file."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._at = 0

    def __len__(self) -> int:
        return self._size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, count: int | None = -1) -> bytes:
        left = max(0, self._size - self._at)
        self._file.seek(self._start + self._at)
        data = self._file.read(left if count is None or count < 0 else min(count, left))
        self._at += len(data)
        return data


def put_parts(
    client: "S3Client", target: dict[str, Any], file: BinaryIO, size: int, conditions: dict[str, Any]
) -> str:
    """The etag. Whatever fails, the parts that are there already are given up."""
    place = {"Bucket": target["Bucket"], "Key": target["Key"]}
    upload = client.create_multipart_upload(**target)["UploadId"]
    try:
        parts: list[CompletedPartTypeDef] = []
        for number, start in enumerate(range(0, size, PART), 1):
            part: Any = Part(file, start, min(PART, size - start))
            sent = client.upload_part(**place, UploadId=upload, PartNumber=number, Body=part)
            parts.append({"ETag": sent["ETag"], "PartNumber": number})
        done = client.complete_multipart_upload(
            **place, UploadId=upload, MultipartUpload={"Parts": parts}, **conditions
        )
        return done["ETag"]
    except BaseException:
        # else the bucket keeps them, and bills for them, until its lifecycle rule comes by
        with suppress(Exception), within(ABORT_SECONDS):
            client.abort_multipart_upload(**place, UploadId=upload)
        raise
