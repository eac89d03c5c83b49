"""Finished calls as server-sent events, for a few readers, each as slow as it likes."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

import orjson

from mitmcache.gateway.documents import call
from mitmcache.journal.event import Event

MOST_READERS = 16
MOST_WAITING = 64
"""Batches that wait for one reader. Beyond, it is told that it has missed some, and asks anew."""
MOST_TOLD = 100
"""Calls in one batch: more than that nobody can watch."""
HEARTBEAT = 15.0
"""Seconds."""
RETRY = b"retry: 2000\n\n"
BEAT = b": still here\n\n"
MISSED = b"event: missed\ndata: {}\n\n"


class Full(Exception):
    """There are readers enough."""


class Reader:
    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._news = asyncio.Event()

    def give(self, message: bytes) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.clear()
            message = MISSED
        self._waiting.append(message)
        self._news.set()

    async def messages(self) -> AsyncIterator[bytes]:
        """Without an end."""
        yield RETRY
        while True:
            try:
                await asyncio.wait_for(self._news.wait(), HEARTBEAT)
            except TimeoutError:
                yield BEAT
                continue
            self._news.clear()
            while self._waiting:
                yield self._waiting.popleft()


class Live:
    """On the event loop. What happens costs nothing while nobody reads."""

    def __init__(self) -> None:
        self._readers: set[Reader] = set()

    @property
    def readers(self) -> int:
        return len(self._readers)

    def tell(self, events: Sequence[Event]) -> None:
        """A listener of the journal."""
        if not self._readers:
            return
        told = [call(event) for event in events[-MOST_TOLD:]]
        message = b"event: calls\ndata: " + orjson.dumps(told) + b"\n\n"
        for reader in self._readers:
            reader.give(message)
            if len(events) > MOST_TOLD:
                reader.give(MISSED)

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Raises Full."""
        if len(self._readers) >= MOST_READERS:
            raise Full
        reader = Reader()
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)
