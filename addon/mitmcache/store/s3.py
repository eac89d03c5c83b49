"""The objects below one location of a bucket: blocking, for threads and the command line.

Every name is relative to the location's prefix. `deadline` is in seconds and total: every connect, send
and receive is within it, however slowly a server drips. What fails is a BucketError.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.client import IncompleteRead
from io import SEEK_END, BytesIO
from itertools import batched
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from mitmcache.store import s3_large, s3_limits
from mitmcache.store.base import LARGE, Blob, StoreError
from mitmcache.store.s3_bucket import SECONDS, Bucket
from mitmcache.store.s3_errors import MISSING, BucketError, Kind, code_of
from mitmcache.store.s3_limits import Limit, within

CONDITIONS = "v1/control/conditions"
"""A small object that only `supports_conditions` writes."""
MOST = 1 << 30
DELETED_AT_ONCE = 1000
NEVER = '"00000000000000000000000000000000"'
"""An etag that no object has."""


class _Unchanged(Enum):
    NOT_MODIFIED = "not modified"


NOT_MODIFIED: Final = _Unchanged.NOT_MODIFIED


@dataclass(frozen=True, slots=True)
class Fetched:
    """Whoever gets it closes a Large body, whose file then goes. `etag` with its quotes."""

    body: Blob = field(repr=False)
    etag: str


@dataclass(frozen=True, slots=True)
class Listed:
    """`modified` in Unix seconds."""

    name: str
    size: int
    modified: float


class Objects(Bucket):
    """For any number of threads."""

    def get(
        self,
        name: str,
        *,
        deadline: float,
        etag: str | None = None,
        stage: Callable[[], Path] | None = None,
        most: int = MOST,
    ) -> Fetched | Literal[_Unchanged.NOT_MODIFIED] | None:
        """The object; None when there is none; NOT_MODIFIED when its etag is the given one. One attempt.

        An object above LARGE comes as a file at the path that `stage` gives, and without `stage` not at
        all: it has longer than the deadline, as long as at every moment it has brought 8 MiB for each
        second beyond it. StoreError: it is longer than `most` bytes.
        """
        condition: dict[str, Any] = {"IfNoneMatch": etag} if etag else {}
        with self._asking(deadline) as clients:
            try:
                answer = clients.reads.get_object(**self._object(name), **condition)
            except Exception as error:
                code, status = code_of(error)
                if code == MISSING:
                    return None
                if status == 304:
                    return NOT_MODIFIED
                raise
            with closing(answer["Body"]) as body:
                size = answer["ContentLength"]
                if size > (most if stage else min(most, LARGE)):
                    # it says nothing against the bucket
                    raise StoreError(f"an object in the bucket {self.location} is larger than it may be")
                if size <= LARGE or stage is None:
                    return Fetched(body.read(), answer["ETag"])
                s3_limits.streaming()
                return Fetched(s3_large.save(body, size, stage), answer["ETag"])

    def read_head(self, name: str, size: int, *, deadline: float = SECONDS) -> bytes | None:
        """The first `size` bytes, or all if there are fewer; None when there is no such object."""
        with self._asking(deadline) as clients:
            try:
                answer = clients.writes.get_object(**self._object(name), Range=f"bytes=0-{size - 1}")
            except Exception as error:
                code, status = code_of(error)
                if code == MISSING:
                    return None
                if status == 416:  # it is empty
                    return b""
                raise
            with closing(answer["Body"]) as body:  # a server may ignore the range
                head = body.read(size)
                if len(head) < min(size, answer["ContentLength"]):
                    raise IncompleteRead(head)
                return head

    def put(
        self,
        name: str,
        body: bytes | Path | BinaryIO,
        *,
        deadline: float,
        if_match: str | None = None,
        if_none_match: bool = False,
    ) -> str:
        """The new etag. An open file is read from its start, and left open. Above 64 MiB it goes up in parts.

        CONFLICT: the object has not the etag `if_match`, or there is one already. It may also be that the
        first of several attempts has done it, and its answer was lost.
        """
        conditions: dict[str, Any] = {"IfMatch": if_match} if if_match else {}
        if if_none_match:
            conditions = {"IfNoneMatch": "*"}
        target = {**self._object(name), "ContentType": s3_large.TYPE}
        with _reading(body) as file, self._asking(deadline) as clients:
            size = file.seek(0, SEEK_END)
            if size > s3_large.SINGLE:
                return s3_large.put_parts(clients.writes, target, file, size, conditions)
            source: Any = s3_large.Part(file, 0, size)
            return clients.writes.put_object(**target, Body=source, **conditions)["ETag"]

    def delete(self, names: Iterable[str], *, deadline: float = SECONDS) -> int:
        """How many are gone, those with them that were not there. `deadline` is for each thousand.

        When some cannot be deleted the others are, and a BucketError says how many cannot.
        """
        gone, kept, code = 0, 0, ""
        for some in batched(names, DELETED_AT_ONCE):
            keys = [{"Key": self.location.name(name)} for name in some]
            with self._asking(deadline) as clients:
                answer: Any = clients.writes.delete_objects(
                    Bucket=self.location.bucket,
                    Delete={"Objects": keys, "Quiet": True},  # type: ignore[typeddict-item]
                )
            errors = answer.get("Errors", [])
            kept += len(errors)
            gone += len(keys) - len(errors)
            code = errors[0].get("Code", code) if errors else code
        if kept:
            raise BucketError(self.location, Kind.FAILED, f"{kept} of {gone + kept} objects stay: {code}")
        return gone

    def list(self, prefix: str = "", *, deadline: float = SECONDS) -> Iterator[Listed]:
        """In order of name, a page of a thousand at a time. `deadline` is for each page."""
        cut = len(self.location.name(""))
        more: dict[str, Any] = {}
        while True:
            with self._asking(deadline) as clients:
                page = clients.writes.list_objects_v2(
                    Bucket=self.location.bucket, Prefix=self.location.name(prefix), **more
                )
                found = [
                    Listed(item["Key"][cut:], item["Size"], item["LastModified"].timestamp())
                    for item in page.get("Contents", [])
                ]
                token = page["NextContinuationToken"] if page["IsTruncated"] else None
            yield from found
            if not token:
                return
            more = {"ContinuationToken": token}

    def supports_conditions(self, *, deadline: float = SECONDS) -> bool:
        """Whether a conditional PUT is refused when its condition does not hold. Any number may ask at once:
        the object that it takes is always the same, and stays."""
        with within(deadline) as limit:
            if self._put_refused(limit, if_none_match=True) or self._put_refused(limit, if_none_match=True):
                return self._put_refused(limit, if_match=NEVER)
        return False

    def _put_refused(self, limit: Limit, **condition: Any) -> bool:
        try:
            self.put(CONDITIONS, b"mitmcache", deadline=limit.left(), **condition)
        except BucketError as error:
            if error.kind is Kind.CONFLICT:
                return True
            if error.status != 501:
                raise
        return False

    def _object(self, name: str) -> dict[str, Any]:
        return {"Bucket": self.location.bucket, "Key": self.location.name(name)}


@contextmanager
def _reading(body: bytes | Path | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(body, bytes):
        yield BytesIO(body)
    elif isinstance(body, Path):
        with s3_large.local(body):
            file = body.open("rb")
        with file:
            yield file
    else:
        yield body
