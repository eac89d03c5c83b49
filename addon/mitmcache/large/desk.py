"""Where a large answer becomes a record: its spool, the process that works on it, and what that leaves."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mitmcache.cache.record import Meta
from mitmcache.cache.tap import Budget
from mitmcache.exchange import Reply
from mitmcache.large.spool import Spool, Spools
from mitmcache.large.work import Job
from mitmcache.large.worker import Failed, Worker
from mitmcache.reasons import Reason
from mitmcache.store.base import LARGE, Staged

logger = logging.getLogger(__name__)

WRITTEN = 60.0
"""Seconds for the last of a body to reach its spool."""


class Desk:
    """`stage` names a new file that the store will take over. `limit` is in bytes, decoded."""

    def __init__(self, stage: Callable[[], Path], budget: Budget, limit: int) -> None:
        self.spools = Spools(stage, budget)
        self._stage = stage
        self._limit = limit
        self._closed = False
        self._worker = Worker()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="mitmcache-large")

    async def record(
        self,
        meta: Meta,
        reply: Reply,
        spool: Spool | None,
        *,
        done_optional: bool,
        clean_end: bool,
        judged: bool,
    ) -> bytes | Staged | Reason:
        """The encoded record, or why there is none. The body is in the spool, where there is one."""
        if spool and not await spool.finish(WRITTEN):
            return Reason.STORE_ERROR
        job = Job(
            source=str(spool.path if spool else self._stage()),
            target=str(self._stage()),
            limit=self._limit,
            done_optional=done_optional,
            headers=reply.headers,
            framed=reply.framed,
            clean_end=clean_end,
            judged=judged,
            meta=meta,
        )
        body = None if spool else reply.body
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._run, job, body)
        except (Failed, OSError) as error:
            if not self._closed:
                logger.warning("mitmcache: a large answer could not be kept: %s", error)
            return Reason.STORE_ERROR

    async def close(self, deadline: float) -> None:
        """Ends what is being worked on."""
        self._closed = True
        self._worker.kill()
        await self.spools.close(deadline)
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)

    def _run(self, job: Job, body: bytes | None) -> bytes | Staged | Reason:
        """In the thread. Leaves no file but the record's, and that only where the record is one."""
        source, target = Path(job.source), Path(job.target)
        kept = False
        try:
            if body is not None:
                source.write_bytes(body)
            size = self._worker.run(job)
            if isinstance(size, Reason):
                return size
            if size <= LARGE:  # it shrank: a record like any other
                return target.read_bytes()
            kept = True
            return Staged(target, size)
        finally:
            if body is not None:
                source.unlink(missing_ok=True)
            if not kept:
                target.unlink(missing_ok=True)
