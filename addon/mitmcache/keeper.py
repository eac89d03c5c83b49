"""Takes finished replies off the request path: judges, encodes and stores them, one after another.

A reply that is being worked on can be waited for, so that a caller who asks again at once is not sent
upstream again. Everything that waits here is charged to the budget that the taps share. What is too large
for memory has a lane of its own, where a process does the work (see large/), so that nothing waits for it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zstandard import ZstdCompressor

from mitmcache.cache import admit, record, replay
from mitmcache.cache.likeness import Likeness
from mitmcache.cache.record import Meta, Record
from mitmcache.cache.tap import Budget, Tap, nowhere
from mitmcache.exchange import Call, Reply
from mitmcache.large.desk import Desk
from mitmcache.large.spool import Spool
from mitmcache.reasons import Reason
from mitmcache.selection import About
from mitmcache.store.base import LARGE, Entry, Staged, Store
from mitmcache.tally import Tally

logger = logging.getLogger(__name__)

INLINE = 16 * 1024
"""Bytes of request and reply that are packed and digested on the loop, in half a millisecond or so."""
MAX_WAITING = 4096  # replies; their bytes are bounded by the budget


@dataclass(frozen=True, slots=True)
class Candidate:
    """A reply that may be kept. `judged`: already admitted. `clean_end`: see `admit.admit`. `charged` is
    what the budget holds for it, `expires` in Unix seconds, 0 for never. With a `spool`, the body is there
    and not in the reply. `tags` and `generation` are the record's."""

    key: str
    call: Call
    model: str
    likeness: Likeness
    reply: Reply = field(repr=False)
    created: float
    expires: float
    clean_end: bool = True
    judged: bool = False
    charged: int = 0
    host: str = ""
    tags: tuple[str, ...] = ()
    generation: int = 0
    spool: Spool | None = None

    @property
    def is_large(self) -> bool:
        return self.spool is not None or len(self.reply.body) > LARGE

    def facts(self) -> dict[str, Any]:
        """Of the record: the fields of Meta."""
        return {
            "key": self.key,
            "provider": self.call.provider.name,
            "dialect": self.call.dialect.name,
            "model": self.model,
            "created": self.created,
            "expires": self.expires,
            "status": self.reply.status,
            "headers": replay.kept(self.reply.headers),
            "host": self.host,
            "tags": self.tags,
            "generation": self.generation,
        }


@dataclass(slots=True)
class _Pending:
    settled: asyncio.Event
    offers: int = 0


class _Lane:
    """Candidates that are worked on one after another."""

    def __init__(self, make: Callable[[Candidate], Awaitable[Entry | Reason | None]]) -> None:
        self.make = make
        self.waiting: deque[Candidate] = deque()
        self.worker: asyncio.Task[None] | None = None


class Keeper:
    """Lives on the event loop; only `_make` runs elsewhere, where that is worth a thread.

    `stage` names a new file of the store's, for what is larger, decoded, than the `in_memory` bytes that are
    worked on in memory. Without it, memory has to do.
    """

    def __init__(
        self,
        store: Store,
        tally: Tally,
        budget: Budget,
        limit: int,
        stage: Callable[[], Path] | None = None,
    ) -> None:
        self._store = store
        self._tally = tally
        self._budget = budget
        self._limit = limit
        self.in_memory = min(limit, LARGE) if stage else limit
        self.unsettled: dict[str, _Pending] = {}
        self._compressor = record.compressor()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="mitmcache-keeper")
        self._desk = Desk(stage, budget, limit) if stage else None
        self._plain = _Lane(self._make_plain)
        self._large = _Lane(self._make_large)

    @property
    def waiting(self) -> int:
        return len(self._plain.waiting) + len(self._large.waiting)

    def tap(self, *, kept: bool = True) -> Tap[Spool]:
        """For one stream. What is not to be kept stays in memory."""
        spool: Callable[[], Spool | None] = self._desk.spools.open if self._desk and kept else nowhere
        return Tap(self._limit, self._budget, memory=self.in_memory, spool=spool)

    def offer(self, candidate: Candidate) -> None:
        """Takes the candidate, or counts it as dropped. Returns at once."""
        if self.waiting >= MAX_WAITING:
            self._drop(candidate, Reason.QUEUE_FULL)
            return
        pending = self.unsettled.setdefault(candidate.key, _Pending(asyncio.Event()))
        pending.offers += 1
        self._queue(self._large if self._desk and candidate.is_large else self._plain, candidate)

    async def settled(self, key: str, deadline: float) -> None:
        """Waits until what was offered under the key is stored or dropped, at most `deadline` seconds."""
        if pending := self.unsettled.get(key):
            with suppress(TimeoutError):
                await asyncio.wait_for(pending.settled.wait(), deadline)

    async def drain(self, deadline: float) -> None:
        """Waits until nothing is waiting, at most `deadline` seconds."""
        end = asyncio.get_running_loop().time() + deadline
        # the plain lane first: it may put something into the other
        for lane in (self._plain, self._large):
            if lane.worker:
                left = max(0.0, end - asyncio.get_running_loop().time())
                await asyncio.wait([lane.worker], timeout=left)

    async def close(self, deadline: float) -> None:
        await self.drain(deadline)
        for lane in (self._plain, self._large):
            while lane.waiting:
                self._settle(lane.waiting.popleft(), Reason.QUEUE_FULL)
        if self._desk:
            await self._desk.close(deadline)
            await self.drain(deadline)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _queue(self, lane: _Lane, candidate: Candidate) -> None:
        lane.waiting.append(candidate)
        if lane.worker is None:
            # mitmproxy's loop starts tasks eagerly, so the first step must not run inside the hook
            lane.worker = asyncio.create_task(self._work(lane))

    async def _work(self, lane: _Lane) -> None:
        await asyncio.sleep(0)
        while lane.waiting:
            candidate = lane.waiting.popleft()
            try:
                outcome = await lane.make(candidate)
                if outcome is None:
                    self._queue(self._large, candidate)
                    continue
                if isinstance(outcome, Entry) and not self._store.put(outcome):
                    outcome = Reason.QUEUE_FULL
            except Exception:
                # open: a reply that cannot be judged or kept is dropped, and the next one is looked at
                logger.warning("mitmcache: a reply could not be kept", exc_info=True)
                outcome = Reason.STORE_ERROR
            self._settle(candidate, outcome)
        lane.worker = None

    def _settle(self, candidate: Candidate, outcome: Entry | Reason) -> None:
        if isinstance(outcome, Reason):
            self._drop(candidate, outcome)
        else:
            self._tally.stored += 1
            self._let_go(candidate)
        pending = self.unsettled[candidate.key]
        pending.offers -= 1
        if not pending.offers:
            del self.unsettled[candidate.key]
            pending.settled.set()

    def _drop(self, candidate: Candidate, reason: Reason) -> None:
        self._tally.dropped[reason] += 1
        self._let_go(candidate)

    def _let_go(self, candidate: Candidate) -> None:
        self._budget.give(candidate.charged)
        if candidate.spool:
            candidate.spool.drop()

    async def _make_plain(self, candidate: Candidate) -> Entry | Reason | None:
        # what is judged is decoded too
        if candidate.judged and len(candidate.reply.body) + candidate.likeness.size <= INLINE:
            await asyncio.sleep(0)  # others first, each time
            return self._make(candidate, self._compressor)
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._make, candidate)

    def _make(self, candidate: Candidate, by: ZstdCompressor | None = None) -> Entry | Reason | None:
        """Runs in the pool's thread too, and touches nothing of ours. None: decoded, it is
        too large to be worked on here."""
        reply = admit.decoded(candidate.reply, self.in_memory, partial=not candidate.clean_end)
        if isinstance(reply, Reason):
            return None if reply is Reason.TOO_LARGE and self.in_memory < self._limit else reply
        if not candidate.judged and (
            reason := admit.admit(candidate.call, reply, clean_end=candidate.clean_end)
        ):
            return reason
        made = Record(**candidate.facts(), body=reply.body)
        return self._entry(candidate, made.about, record.encode(made, by))

    async def _make_large(self, candidate: Candidate) -> Entry | Reason:
        assert self._desk
        meta = Meta(**candidate.facts())
        blob = await self._desk.record(
            meta,
            candidate.reply,
            candidate.spool,
            done_optional=candidate.call.provider.done_optional,
            clean_end=candidate.clean_end,
            judged=candidate.judged,
        )
        if isinstance(blob, Reason):
            return blob
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._entry, candidate, meta.about, blob)

    def _entry(self, candidate: Candidate, about: About, blob: bytes | Staged) -> Entry:
        like = candidate.likeness
        return Entry(candidate.key, blob, candidate.expires, like.group, like.packed, about)
