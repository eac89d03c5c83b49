"""Files that take what a tap does not hold in memory. The event loop never waits for them."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from mitmcache.cache.tap import Budget

logger = logging.getLogger(__name__)

PIECE = 1 << 20
"""Bytes that are worth a write."""
MOST = 4 << 20
"""Bytes that are written at once, or a chunk more."""
WAITING = 48 << 20
"""Bytes that one spool may hold in memory: a disk that falls so far behind is too slow."""
SPOOLED = 4 << 30
"""Bytes on disk of all spools together."""
_THREADS = 2


class Spools:
    """Makes spools. Only for the event loop's thread.

    `stage` gives the name of a new file and does no I/O. What waits in memory is charged to `budget`.
    """

    def __init__(self, stage: Callable[[], Path], budget: Budget, room: int = SPOOLED) -> None:
        self.budget = budget
        self.room = Budget(room)
        self.pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="mitmcache-spool")
        self.stage = stage
        self._alive: set[Spool] = set()

    def open(self) -> "Spool | None":
        """None: there is no room, or no disk any more. Does not block."""
        try:
            spool = Spool(self, self.stage())
        except Exception:
            logger.warning("mitmcache: no file for a large answer", exc_info=True)
            return None
        self._alive.add(spool)
        return spool

    def gone(self, spool: "Spool") -> None:
        self._alive.discard(spool)

    async def close(self, deadline: float) -> None:
        """Removes what is left, for at most `deadline` seconds."""
        ending = [spool.drop() for spool in list(self._alive)]
        if left := [future for future in ending if future]:
            await asyncio.wait(left, timeout=deadline)
        self.pool.shutdown(wait=False, cancel_futures=True)


class Spool:
    """One body's file. All but the writing happens on the event loop, one write at a time."""

    def __init__(self, spools: Spools, path: Path) -> None:
        self.path = path
        self.size = 0
        self._spools = spools
        self._loop = asyncio.get_running_loop()
        self._chunks: list[bytes] = []
        self._collected = 0
        self._writing = 0
        self._file: BinaryIO | None = None
        self._failed = self._ended = self._dropped = False
        self._closed: asyncio.Future[bool] = self._loop.create_future()
        self._removed: asyncio.Future[None] = self._loop.create_future()

    def write(self, chunks: list[bytes]) -> bool:
        """Takes over the chunks and what the budget holds for them. False: the spool is lost."""
        size = sum(map(len, chunks))
        full = self._collected + self._writing + size > WAITING
        if self._failed or self._dropped or full or not self._spools.room.take(size):
            self._spools.budget.give(size)
            self._failed = True
            return False
        self._chunks += chunks
        self._collected += size
        self.size += size
        if self._collected >= PIECE:
            self._kick()
        return True

    async def finish(self, deadline: float) -> bool:
        """Nothing comes after; waits until all is written. False: it could not be, in `deadline` seconds."""
        self._ended = True
        self._kick()
        try:
            return await asyncio.wait_for(asyncio.shield(self._closed), deadline)
        except TimeoutError:
            return False

    def drop(self) -> "asyncio.Future[None] | None":
        """Nobody wants the file any more: the future is done when it is gone. Harmless when said twice."""
        if not self._dropped:
            self._dropped = True
            self._let_go()
            if not self._writing:
                self._remove()
        return self._removed

    def _kick(self) -> None:
        """Begins to write what has come, unless something is being written."""
        if self._writing or self._dropped or self._closed.done():
            return
        if self._failed:
            self._settle(False)
            return
        chunks, size, last = self._chunks, self._collected, self._ended
        try:
            job = self._loop.run_in_executor(self._spools.pool, self._write, chunks, last)
        except RuntimeError:  # the pool is closed: the end of the proxy
            self._failed = True
            self._let_go()
            self._settle(False)
            return
        self._chunks, self._collected = [], 0
        self._writing = size or 1
        job.add_done_callback(lambda done: self._written(done, size))

    def _written(self, done: "asyncio.Future[None]", size: int) -> None:
        self._writing = 0
        self._spools.budget.give(size)
        if done.cancelled() or (error := done.exception()):
            self._failed = True
            if not done.cancelled():
                logger.warning("mitmcache: a large answer could not be written: %s", error)
        if self._dropped:
            self._remove()
        elif self._failed:
            self._let_go()
            self._settle(False)
        elif self._file is None:
            self._settle(True)
        elif self._ended or self._collected >= PIECE:
            self._kick()

    def _settle(self, whole: bool) -> None:
        if not self._closed.done():
            self._closed.set_result(whole)

    def _let_go(self) -> None:
        """Of what waits in memory."""
        self._spools.budget.give(self._collected)
        self._chunks, self._collected = [], 0

    def _remove(self) -> None:
        """No write is under way."""
        self._settle(False)
        self._spools.room.give(self.size)
        self.size = 0
        try:
            job = self._loop.run_in_executor(self._spools.pool, self._unlink)
        except RuntimeError:  # the pool is closed: the end of the proxy, for which it may wait
            self._unlink()
            self._gone()
        else:
            job.add_done_callback(lambda _: self._gone())

    def _gone(self) -> None:
        self._spools.gone(self)
        if not self._removed.done():
            self._removed.set_result(None)

    def _write(self, chunks: list[bytes], last: bool) -> None:
        """In a thread."""
        if self._file is None:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._file = os.fdopen(descriptor, "wb", buffering=PIECE)
        # few large writes: while the event loop is busy, a thread waits a switch interval after each
        for part in _parts(chunks):
            self._file.write(part)
        if last:
            self._file.close()
            self._file = None

    def _unlink(self) -> None:
        """In a thread."""
        with suppress(OSError):
            if self._file:
                self._file.close()
            self.path.unlink(missing_ok=True)


def _parts(chunks: list[bytes]) -> Iterator[bytes]:
    part: list[bytes] = []
    size = 0
    for chunk in chunks:
        part.append(chunk)
        size += len(chunk)
        if size >= MOST:
            yield b"".join(part)
            part, size = [], 0
    yield b"".join(part)
