"""What this proxy knows of purges: from its own disk, from other processes on it, and from the bucket."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Protocol

from mitmcache.cache.generations import Generations, merge
from mitmcache.purge import control
from mitmcache.purge.control import Objects
from mitmcache.selection import About, Selection
from mitmcache.store.base import StoreError
from mitmcache.store.seal import Seal

logger = logging.getLogger(__name__)

KNOWN = "generations"
LATE = "generations not yet in "
LOOK = 1.0
"""Seconds after which another process's purge on the same disk is seen."""
POLL = 30.0
DISK_SECONDS = 5.0
NONE = Generations()


class Disk(Protocol):
    async def recall(self, name: str) -> bytes | None: ...

    async def remember(self, name: str, value: bytes) -> None:
        """Lasts once this returns. Both raise StoreError."""


class Bucket(Protocol):
    @property
    def location(self) -> object:
        """As text it tells one bucket from another."""

    async def ask[T](self, work: Callable[[Objects], T]) -> T:
        """What the work returns or raises, in a thread."""


class Purger:
    """On the event loop. `current` only ever grows. Without a disk, or a bucket, it does without.

    A purge that the bucket could not be told waits on the disk and is told later, after a restart too; its n
    is then above all that the bucket has by that time. Only what is purged while this bucket is in use is
    told to it.
    """

    def __init__(
        self,
        disk: Disk | None,
        bucket: Bucket | None,
        seal: Seal | None = None,
        *,
        poll: float = POLL,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.current = NONE
        self._disk = disk
        self._bucket = bucket
        self._seal = seal
        self._poll = poll
        self._now = now
        self._loaded = asyncio.Event()
        self._seen: tuple[bytes | None, Generations] = (None, NONE)
        self._late = NONE  # what waits for the bucket and is not on the disk
        self._waiting = f"{LATE}{bucket.location}" if bucket else ""
        self._etag: str | None = None
        self._conditional: bool | None = None  # not yet known
        self._sharing = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        if disk is None:
            self._loaded.set()

    def begin(self, saved: bytes | None) -> None:
        """With what the disk was read to have before anything is served. StoreError: it makes no sense, and
        nothing is valid until it does."""
        self._seen = (saved, _read(saved))
        self.current = merge(self.current, self._seen[1])
        self._loaded.set()

    def start(self) -> None:
        """From now on it looks at the disk every second, and asks the bucket every `poll` seconds."""
        steps = [(LOOK, self._look)] if self._disk else []
        steps += [(self._poll, self._ask)] if self._bucket else []
        self._tasks = [asyncio.create_task(_again(seconds, step)) for seconds, step in steps]

    async def loaded(self) -> None:
        """Returns when it is known what was purged on this disk before."""
        await self._loaded.wait()

    def valid(self, key: str, about: About) -> bool:
        """Whether it may be served: nothing may before `loaded`."""
        return self._loaded.is_set() and self.current.valid(key, about)

    def purged(self, key: str, about: About) -> bool:
        """Whether it is known to be invalid, so that it need not be uploaded."""
        return not self.current.valid(key, about)

    async def purge(self, selection: Selection) -> int:
        """The n of the purge. It is obeyed here before the first await, or before anything is served; when
        this returns it is on the disk and in the bucket.

        Raises ValueError for what no purge can name. StoreError: it is not on the disk, or not in the bucket,
        and that is tried again.
        """
        if not self._loaded.is_set():  # nothing is served before
            await self._look()
        self.current = self.current.purged(selection, self._now())
        if self._bucket:
            self._late = merge(self._late, Generations({selection: self.current.latest}))
        errors: list[StoreError] = []
        for step in (self._look, self._save_late, self._push, self._look):  # the bucket may have raised n
            try:
                await step()
            except StoreError as error:
                errors.append(error)
        if errors:
            raise errors[-1]
        return self.current.number(selection)

    async def close(self) -> None:
        """What the bucket could not be told stays on the disk."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look(self) -> None:
        """Has here what the disk has, and there what is known here."""
        if self._disk is None:
            return
        async with _in_time():
            data = await self._disk.recall(KNOWN)
            if data != self._seen[0]:
                self._seen = (data, _read(data))
            self.current = merge(self.current, self._seen[1])
            self._loaded.set()
            if self.current != self._seen[1]:
                await self._disk.remember(KNOWN, self.current.to_json())

    async def _ask(self) -> None:
        """Has here what the bucket has, and there what was purged here."""
        if self._bucket is None:
            return
        async with self._sharing:
            found = await self._bucket.ask(partial(control.read, seal=self._seal, etag=self._etag))
        if found:
            self.current = merge(self.current, found.generations)
            self._etag = found.etag
            await self._look()
        if self._conditional is None:
            self._conditional = await self._bucket.ask(_keeps_conditions)
            if not self._conditional:
                logger.warning(
                    "mitmcache: the server of the bucket %s ignores the conditions of a PUT: answers are "
                    "shared, but purges cannot be",
                    self._bucket.location,
                )
        await self._push()

    async def _push(self) -> None:
        if self._bucket is None:
            return
        async with self._sharing:
            late = self._late
            with suppress(StoreError):  # it goes on without the disk, which is looked at every second
                late = merge(late, await self._saved_late())
            if late == NONE:
                return
            push = partial(control.push, seal=self._seal, late=late, conditional=bool(self._conditional))
            self.current = merge(self.current, await self._bucket.ask(push))
            self._conditional = True
            self._late = self._late.beyond(late)
            await self._save_late(told=late)

    async def _saved_late(self) -> Generations:
        if self._disk is None or not self._bucket:
            return NONE
        async with _in_time():
            return _read(await self._disk.recall(self._waiting))

    async def _save_late(self, told: Generations = NONE) -> None:
        """What waits for the bucket, whichever process had it, but for what was told."""
        if self._disk is None or not self._bucket:
            return
        saved = await self._saved_late()
        late = merge(saved, self._late).beyond(told)
        if late != saved:
            async with _in_time():
                await self._disk.remember(self._waiting, late.to_json())
        self._late = self._late.beyond(late)


def _keeps_conditions(objects: Objects) -> bool:
    return objects.supports_conditions(deadline=control.READ_SECONDS)


def _read(data: bytes | None) -> Generations:
    try:
        return Generations.from_json(data) if data else NONE
    except ValueError as error:
        raise StoreError(f"what the disk has of purges cannot be read: {error}") from None


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(DISK_SECONDS):
            yield
    except TimeoutError:
        raise StoreError("the disk of the cache is slow") from None


async def _again(seconds: float, step: Callable[[], Awaitable[None]]) -> None:
    """Says in the log when it begins to fail, and when that is over."""
    failing = False
    while True:
        try:
            await step()
        except Exception as error:  # whatever it is, this goes on
            if not failing:
                known = isinstance(error, StoreError)
                cause = error if known else type(error).__name__
                logger.warning("mitmcache: purges are not exchanged for now: %s", cause, exc_info=not known)
            failing = True
        else:
            if failing:
                logger.warning("mitmcache: purges are exchanged again")
            failing = False
        await asyncio.sleep(seconds)
