"""The third tier: a bucket on R2 or any S3, for the proxy's event loop.

A lookup has a hard deadline, all in all. After repeated failures there are none: the bucket is left alone,
and tried now and then in the background. Nothing of it runs on the loop.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Protocol

from mitmcache.selection import About
from mitmcache.store.base import Blob, Entry, Large, StoreError
from mitmcache.store.breaker import Breaker
from mitmcache.store.location import Location
from mitmcache.store.s3 import MOST, Objects
from mitmcache.store.s3_errors import TO_BE_MENDED, BucketError, Kind
from mitmcache.store.s3_limits import RATE
from mitmcache.store.transfer import Seal, Stage, Transfer, Unreadable
from mitmcache.store.workers import Busy, Workers

logger = logging.getLogger(__name__)

READERS, WRITERS, CONTROLLERS = 16, 4, 2
PATIENCE = 0.02
"""Seconds that a lookup waits for a free thread."""
START_SECONDS = 10.0
PASSING = frozenset({Kind.THROTTLED, Kind.CONFLICT})
"""Says nothing against the next lookup."""


class Names(Protocol):
    """See store/names.py."""

    def entry(self, key: str, about: About) -> str: ...


class Skipped(StoreError):
    """The bucket was not asked: it is being left alone, is not ready yet, or has enough to do."""


class R2Store:
    """For one event loop. `deadline`: seconds that a lookup may take, except that a large record has longer
    as long as it comes at 8 MiB a second. `stage` makes the files that large records are received in.
    """

    def __init__(
        self,
        location: Location,
        names: Names,
        seal: Seal | None = None,
        *,
        deadline: float,
        stage: Stage | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.location = location
        self._objects = Objects(location, environ)
        self._transfer = Transfer(self._objects, seal, stage)
        self._names = names
        self._deadline = deadline
        self._breaker = Breaker()
        self._readers = Workers(READERS, "mitmcache-bucket-get")
        self._writers = Workers(WRITERS, "mitmcache-bucket-put")
        self._controllers = Workers(CONTROLLERS, "mitmcache-bucket")
        self.ready = False
        """Whether it is known at all if the bucket works."""
        self._background: asyncio.Task[None] | None = None
        self._lookups = self._hits = self._misses = self._timeouts = self._failures = 0
        self._skipped = self._unreadable = 0

    @property
    def is_left_alone(self) -> bool:
        """After failures, until it answers again."""
        return self._breaker.is_open

    def start(self) -> None:
        """Begins in the background: boto3 is imported, a connection made, and what is wrong said in the log.
        Until then every lookup is skipped."""
        self._background = asyncio.get_running_loop().create_task(self._begin())

    async def get(self, key: str, about: About) -> Blob | None:
        """None also for what is not sealed with our secret. Skipped, BucketError."""
        self._lookups += 1
        if not self.ready or self._breaker.is_open:
            self._skipped += 1
            raise Skipped(f"the bucket {self.location} is left alone for now")
        try:
            blob = await self._find(self._names.entry(key, about))
        except Busy:
            self._skipped += 1
            raise Skipped(f"the bucket {self.location} has enough to do") from None
        except Unreadable:
            self._unreadable += 1
            return None
        except StoreError as error:
            self._failed(error)
            raise
        self._hits += blob is not None
        self._misses += blob is None
        return blob

    async def put(self, entry: Entry) -> None:
        """Returns when the bucket has confirmed it, within 30 seconds and one for each MiB. BucketError.

        An open file is read from its start and left open, and a staged one stays.
        """
        name = self._names.entry(entry.key, entry.about)
        await self._run(self._writers, partial(self._transfer.put, name, entry.blob))

    async def delete(self, key: str, about: About) -> None:
        name = self._names.entry(key, about)
        await self.ask(lambda objects: objects.delete([name]))

    async def ask[T](self, work: Callable[[Objects], T]) -> T:
        """What `work` returns or raises, in a thread; its deadlines are its own. For a little at a time."""
        return await self._run(self._controllers, partial(work, self._objects))

    def statistics(self) -> dict[str, int | str]:
        """Of all lookups; `unreadable` are those of objects that do not open with our secret."""
        return {
            "lookups": self._lookups,
            "hits": self._hits,
            "misses": self._misses,
            "timeouts": self._timeouts,
            "failures": self._failures,
            "skipped": self._skipped,
            "unreadable": self._unreadable,
            "breaker": self._state(),
        }

    def _state(self) -> str:
        if not self.ready:
            return "starting"
        return "open" if self._breaker.is_open else "closed"

    async def close(self, deadline: float) -> None:
        """Waits for uploads and the like that are running, at most so long; they cannot be ended."""
        if self._background:
            self._background.cancel()
        pools = (self._readers, self._writers, self._controllers)
        await asyncio.gather(*(pool.close(deadline) for pool in pools))
        self._objects.close()

    async def _run[T](self, pool: Workers, work: Callable[[], T]) -> T:
        try:
            return await pool.run(work)
        except Busy:
            raise StoreError("the store is closed") from None

    async def _find(self, name: str) -> Blob | None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._deadline) as limit:

                def longer() -> None:
                    with suppress(RuntimeError):  # it is too late, or the loop has ended
                        limit.reschedule(loop.time() + self._deadline + MOST / RATE)

                def large() -> None:
                    with suppress(RuntimeError):
                        loop.call_soon_threadsafe(longer)

                get = partial(self._transfer.get, name, self._deadline, large)
                return await self._readers.run(get, patience=PATIENCE, unwanted=_let_go)
        except TimeoutError:
            raise BucketError(self.location, Kind.TIMEOUT) from None

    def _failed(self, error: StoreError) -> None:
        kind = error.kind if isinstance(error, BucketError) else None
        if kind is Kind.TIMEOUT:
            self._timeouts += 1
        else:
            self._failures += 1
        if kind is None or kind in PASSING:
            return
        now = asyncio.get_running_loop().time()
        if self._breaker.trip(now) if kind in TO_BE_MENDED else self._breaker.failed(now):
            logger.warning("mitmcache: lookups in the bucket pause: %s", error)
            self._background = asyncio.get_running_loop().create_task(self._probe())

    async def _begin(self) -> None:
        error = await self._checked(START_SECONDS)
        self.ready = True
        if error:
            self._breaker.trip(asyncio.get_running_loop().time())
            text = "mitmcache: %s; answers are kept on this machine and uploaded when it works"
            logger.warning(text, error)
            await self._probe()

    async def _probe(self) -> None:
        """Until the bucket answers a lookup in time again."""
        clock = asyncio.get_running_loop().time
        while self._breaker.probe_at is not None:
            await asyncio.sleep(self._breaker.probe_at - clock())
            error = await self._checked(self._deadline)
            if self._breaker.probed(clock(), ok=error is None):
                logger.warning("mitmcache: lookups in the bucket %s go on", self.location)

    async def _checked(self, deadline: float) -> Exception | None:
        try:
            async with asyncio.timeout(deadline):
                await self._readers.run(partial(self._objects.check, deadline=deadline))
        except TimeoutError:
            return BucketError(self.location, Kind.TIMEOUT)
        except Exception as error:
            return error
        return None


def _let_go(blob: Blob | None) -> None:
    if isinstance(blob, Large):
        blob.file.close()
