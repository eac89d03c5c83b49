"""Takes finished replies off the request path: judges, encodes and stores them, one after another.

A reply that is being worked on can be waited for, so that a caller who asks again at once is not sent
upstream again. Everything that waits here is charged to the budget that the taps share.
"""

import asyncio
import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from mitmcache.cache import admit, record, replay, shape
from mitmcache.cache.body import Body
from mitmcache.cache.key import Ingredients, group
from mitmcache.cache.record import Record
from mitmcache.cache.tap import Budget
from mitmcache.exchange import Call, Reply
from mitmcache.reasons import Reason
from mitmcache.store.base import Entry, Store
from mitmcache.tally import Tally

logger = logging.getLogger(__name__)

MAX_WAITING = 4096
"""Replies; their bytes are bounded by the budget."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A reply that may be kept. `judged`: already admitted. `clean_end`: see `admit.admit`.

    `charged` is what the budget holds for it, `expires` in Unix seconds, 0 for never.
    """

    key: str
    call: Call
    model: str
    parts: Ingredients
    body: Body
    reply: Reply = field(repr=False)
    created: float
    expires: float
    clean_end: bool = True
    judged: bool = False
    charged: int = 0


@dataclass(slots=True)
class _Pending:
    settled: asyncio.Event
    offers: int = 0


class Keeper:
    """Lives on the event loop; only `_make` runs elsewhere."""

    def __init__(self, store: Store, tally: Tally, budget: Budget, limit: int, secret: bytes) -> None:
        self._store = store
        self._tally = tally
        self._budget = budget
        self._limit = limit
        self._secret = secret
        self._waiting: deque[Candidate] = deque()
        self._pending: dict[str, _Pending] = {}
        self._worker: asyncio.Task[None] | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="mitmcache-keeper")

    def offer(self, candidate: Candidate) -> None:
        """Takes the candidate, or counts it as dropped. Returns at once."""
        if len(self._waiting) >= MAX_WAITING:
            self._drop(candidate, Reason.QUEUE_FULL)
            return
        self._waiting.append(candidate)
        pending = self._pending.setdefault(candidate.key, _Pending(asyncio.Event()))
        pending.offers += 1
        if self._worker is None:
            # mitmproxy's loop starts tasks eagerly, so the first step must not run inside the hook
            self._worker = asyncio.create_task(self._work())

    async def settled(self, key: str, deadline: float) -> None:
        """Waits until what was offered under the key is stored or dropped, at most `deadline` seconds."""
        if pending := self._pending.get(key):
            with suppress(TimeoutError):
                await asyncio.wait_for(pending.settled.wait(), deadline)

    async def drain(self, deadline: float) -> None:
        """Waits until nothing is waiting, at most `deadline` seconds."""
        if self._worker:
            await asyncio.wait([self._worker], timeout=deadline)

    async def close(self, deadline: float) -> None:
        await self.drain(deadline)
        while self._waiting:
            self._settle(self._waiting.popleft(), Reason.QUEUE_FULL)
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        while self._waiting:
            candidate = self._waiting.popleft()
            try:
                outcome = await loop.run_in_executor(self._pool, self._make, candidate)
                if isinstance(outcome, Entry) and not self._store.put(outcome):
                    outcome = Reason.QUEUE_FULL
            except Exception:
                # open: a reply that cannot be judged or kept is dropped, and the next one is looked at
                logger.warning("mitmcache: a reply could not be kept", exc_info=True)
                outcome = Reason.STORE_ERROR
            self._settle(candidate, outcome)
        self._worker = None

    def _settle(self, candidate: Candidate, outcome: Entry | Reason) -> None:
        if isinstance(outcome, Reason):
            self._drop(candidate, outcome)
        else:
            self._tally.stored += 1
            self._budget.give(candidate.charged)
        pending = self._pending[candidate.key]
        pending.offers -= 1
        if not pending.offers:
            del self._pending[candidate.key]
            pending.settled.set()

    def _drop(self, candidate: Candidate, reason: Reason) -> None:
        self._tally.dropped[reason] += 1
        self._budget.give(candidate.charged)

    def _make(self, candidate: Candidate) -> Entry | Reason:
        """Runs in the pool's thread, and touches nothing of ours but the secret."""
        reply = admit.decoded(candidate.reply, self._limit, partial=not candidate.clean_end)
        if isinstance(reply, Reason):
            return reply
        if not candidate.judged and (
            reason := admit.admit(candidate.call, reply, clean_end=candidate.clean_end)
        ):
            return reason
        blob = record.encode(
            Record(
                key=candidate.key,
                provider=candidate.call.provider.name,
                dialect=candidate.call.dialect.name,
                model=candidate.model,
                created=candidate.created,
                expires=candidate.expires,
                status=reply.status,
                headers=replay.kept(reply.headers),
                body=reply.body,
            )
        )
        places = shape.shape(candidate.parts, candidate.body, self._secret)
        return Entry(candidate.key, blob, candidate.expires, group(candidate.parts), shape.pack(places))
