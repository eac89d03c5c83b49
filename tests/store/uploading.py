"""An uploader with a disk, a bucket and a lock in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mitmcache.selection import About
from mitmcache.store.uploads import Uploads
from store.virtual import MemoryBucket, MemoryDisk, MemoryLock, now


class Bench:
    """One uploader, and all that it works with. Times are those of the virtual loop."""

    def __init__(self) -> None:
        self.disk = MemoryDisk()
        self.bucket = MemoryBucket()
        self.lock = MemoryLock()
        self.purged: set[str] = set()
        self.asked: list[tuple[str, About]] = []
        self.uploads = self.uploader()

    def uploader(self) -> Uploads:
        return Uploads(
            self.disk,
            self.bucket,
            self.lock.of(object()),
            now=now,
            valid=self.is_valid,
            clock=asyncio.get_running_loop().time,
            chance=lambda: 1.0,
        )

    def is_valid(self, key: str, about: About) -> bool:
        self.asked.append((key, about))
        return key not in self.purged

    def add(self, *keys: str) -> None:
        for key in keys:
            self.disk.add(key)

    def counts(self) -> tuple[int | bool, ...]:
        return tuple(self.uploads.statistics().values())

    def keys_put(self) -> list[str]:
        return [key for _, key in self.bucket.puts]

    def is_copied(self) -> bool:
        rows = self.disk.rows.values()
        return all(not row.dirty and self.bucket.objects[row.key] == row.blob for row in rows)


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    made.uploads.start()
    try:
        yield made
    finally:
        await made.uploads.close(0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others, "a task was left behind"
