"""A bucket in memory that keeps its conditions and fails when told to; and what a purger asks a bucket by."""

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from enum import Enum

from mitmcache.purge import control
from mitmcache.store.location import Location
from mitmcache.store.s3 import NOT_MODIFIED, Fetched, Listed
from mitmcache.store.s3_errors import BucketError, Kind

PLACE = Location("bucket", "prefix")


class MadeObjects:
    """`failures` are raised by the next requests, one each. `before_put` runs once, between a GET and its
    PUT. `lost_answers`: so many PUTs are done and then refused, as if the answer to a first attempt was
    lost. `honest`: the conditions of a PUT are kept. `asked` counts the requests by kind,
    and the GETs that found nothing new."""

    location = PLACE

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.etags: dict[str, str] = {}
        self.modified: dict[str, float] = {}
        self.failures: list[Kind] = []
        self.before_put: Callable[[], object] | None = None
        self.lost_answers = 0
        self.honest = True
        self.asked: dict[str, int] = {"get": 0, "unchanged": 0, "put": 0, "head": 0, "delete": 0}
        self._lock = threading.Lock()
        self._counter = itertools.count()

    def get(self, name: str, *, deadline: float, etag: str | None = None) -> Fetched | Enum | None:
        self._ask("get")
        with self._lock:
            if name not in self.bodies:
                return None
            if etag == self.etags[name]:
                self.asked["unchanged"] += 1
                return NOT_MODIFIED
            return Fetched(self.bodies[name], self.etags[name])

    def put(
        self,
        name: str,
        body: bytes,
        *,
        deadline: float,
        if_match: str | None = None,
        if_none_match: bool = False,
    ) -> str:
        before, self.before_put = self.before_put, None
        if before:
            before()
        self._ask("put")
        with self._lock:
            there = self.etags.get(name)
            if self.honest and ((if_match and there != if_match) or (if_none_match and there)):
                raise BucketError(PLACE, Kind.CONFLICT)
            self.bodies[name] = body
            self.etags[name] = f'"{next(self._counter)}"'
            self.modified.setdefault(name, 0.0)
            if self.lost_answers:
                self.lost_answers -= 1
                raise BucketError(PLACE, Kind.CONFLICT)
            return self.etags[name]

    def supports_conditions(self, *, deadline: float) -> bool:
        return self.honest

    def list(self, prefix: str = "", *, deadline: float = 30) -> Iterator[Listed]:
        for name in sorted(self.bodies):
            if name.startswith(prefix) and name in self.bodies:
                yield Listed(name, len(self.bodies[name]), self.modified[name])

    def read_head(self, name: str, size: int, *, deadline: float = 30) -> bytes | None:
        self._ask("head")
        body = self.bodies.get(name)
        return None if body is None else body[:size]

    def delete(self, names: Iterable[str], *, deadline: float = 30) -> int:
        self._ask("delete")
        return sum(self.bodies.pop(name, None) is not None for name in list(names))

    def _ask(self, kind: str) -> None:
        with self._lock:
            self.asked[kind] += 1
            if self.failures:
                raise BucketError(PLACE, self.failures.pop(0))


class Asked:
    """A bucket as the proxy has it: asked in threads."""

    def __init__(self, objects: control.Objects, location: str = "s3://bucket/prefix") -> None:
        self.objects = objects
        self.location = location

    async def ask[T](self, work: Callable[[control.Objects], T]) -> T:
        return await asyncio.to_thread(work, self.objects)
