"""A few threads for what blocks, which the end of the process does not wait for.

A socket or a name server may hold a thread for as long as it likes; the threads of concurrent.futures
would hold the process as well.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from typing import Any


class Busy(Exception):
    """No thread came free in time."""


class Workers:
    """At most `count` threads, each started when it is first needed. For one event loop."""

    def __init__(self, count: int, name: str) -> None:
        self._name = name
        self._free = asyncio.Semaphore(count)
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._running: set[Future[Any]] = set()
        self._threads = 0
        self._closed = False

    async def run[T](
        self,
        work: Callable[[], T],
        *,
        patience: float | None = None,
        unwanted: Callable[[T], None] | None = None,
    ) -> T:
        """What `work` returns, or raises. Raises Busy if no thread is free within `patience` seconds.

        A caller who gives up leaves the work to end by itself; `unwanted` then gets what it returns, in the
        thread. Its thread stays taken until then.
        """
        await self._take(patience)
        future: Future[T] = Future()
        loop = asyncio.get_running_loop()
        self._running.add(future)
        future.add_done_callback(lambda done: _tell(loop, self._ended, done))
        if len(self._running) > self._threads:
            self._threads += 1
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        self._jobs.put((future, work))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if unwanted:
                future.add_done_callback(lambda done: _give(done, unwanted))
            raise

    async def close(self, deadline: float) -> None:
        """Waits for what is running, at most `deadline` seconds. Nothing is run after it."""
        self._closed = True
        if self._running:
            await asyncio.wait([asyncio.wrap_future(f) for f in self._running], timeout=deadline)
        for _ in range(self._threads):
            self._jobs.put(None)

    async def _take(self, patience: float | None) -> None:
        try:
            async with asyncio.timeout(patience if self._free.locked() else None):
                await self._free.acquire()
        except TimeoutError:
            raise Busy from None
        if self._closed:
            self._free.release()
            raise Busy

    def _ended(self, future: Future[Any]) -> None:
        self._running.discard(future)
        self._free.release()

    def _work(self) -> None:
        while job := self._jobs.get():
            future, work = job
            if future.set_running_or_notify_cancel():
                try:
                    result = work()
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)
                    del result
            del job, future, work  # else they are held until there is more to do


def _tell(loop: asyncio.AbstractEventLoop, heard: Callable[[Future[Any]], None], future: Future[Any]) -> None:
    with suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(heard, future)


def _give[T](future: Future[T], unwanted: Callable[[T], None]) -> None:
    if not future.cancelled() and future.exception() is None:
        unwanted(future.result())
