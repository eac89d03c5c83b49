"""Hears a stream without changing a byte of it."""

from collections.abc import Callable
from typing import Protocol


class Budget:
    """Bytes that all taps and the queue behind them may hold together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def take(self, amount: int) -> bool:
        if self.used + amount > self.limit:
            return False
        self.used += amount
        return True

    def give(self, amount: int) -> None:
        self.used -= amount


class Spool(Protocol):
    """A place on disk for what is too much for memory. No method blocks or raises."""

    def write(self, chunks: list[bytes]) -> bool:
        """Takes over the chunks and what the budget holds for them. False: the spool is lost."""

    def drop(self) -> object:
        """Nobody wants it any more; harmless when said twice."""


def nowhere() -> None:
    """There is no disk."""


class Tap[S: Spool]:
    """mitmproxy's `flow.response.stream`: gets each chunk, still content-encoded, and b"" at the end.

    Always returns what it was given and never raises. Keeps at most `limit` bytes, those beyond `memory` of
    them in a spool, and none once the limit or the shared budget is passed: `lost` says so.
    """

    def __init__(
        self,
        limit: int,
        budget: Budget,
        *,
        memory: int | None = None,
        spool: Callable[[], S | None] = nowhere,
    ) -> None:
        self._chunks: list[bytes] = []
        self._held = 0  # bytes of the chunks; the size includes what is spooled
        self._size = 0
        self._limit = limit
        self._memory = limit if memory is None else memory
        self._budget = budget
        self._new_spool = spool
        self._spool: S | None = None
        self._deaf = False
        self.lost = False
        self.too_large = False

    def __call__(self, data: bytes) -> bytes | list[bytes]:
        if not data:
            # to mitmproxy an empty chunk ends a chunked body: at the end that would be one end too many
            return []
        if not self._deaf:
            self._keep(data)
        return data

    def take(self) -> bytes | S:
        """All that was heard, the tap keeps nothing more. The caller now owes the budget the bytes' `len`,
        or has to drop the spool."""
        self._deaf = True
        spool, self._spool = self._spool, None
        body = b"".join(self._chunks)
        self._chunks, self._held = [], 0
        return spool or body

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        self.too_large = self._size > self._limit
        if self.too_large or not self._budget.take(len(data)):
            self._lose()
            return
        self._chunks.append(data)
        self._held += len(data)
        if self._spool is None and self._size > self._memory:
            self._spool = self._new_spool()
            if self._spool is None:
                self.too_large = True
                self._lose()
                return
        if self._spool:
            chunks, self._chunks, self._held = self._chunks, [], 0
            if not self._spool.write(chunks):
                self._lose()

    def _lose(self) -> None:
        self.lost = self._deaf = True
        self._budget.give(self._held)
        self._chunks, self._held = [], 0
        if self._spool:
            self._spool.drop()
            self._spool = None
