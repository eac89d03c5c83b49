"""An event loop whose time passes at once when nobody has anything to do; a disk and a bucket in memory."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace
from functools import wraps
from itertools import cycle

from mitmcache.selection import About
from mitmcache.store.base import Blob, Entry, Large, StoreError
from mitmcache.store.ledger import Due
from mitmcache.store.rows import DiskStats

START = 1_000_000.0
"""Unix time."""


class _Selector(selectors.DefaultSelector):
    """Where another would sleep, it moves the clock."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        self.skipped += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time` begins at 0. Not for threads: time would run away from them."""

    def __init__(self) -> None:
        self._chosen = _Selector()
        super().__init__(self._chosen)

    def time(self) -> float:
        return self._chosen.skipped


def virtual[**P](test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Runs the test in such a loop."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def main() -> None:
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # as mitmproxy does
            await test(*args, **kwargs)

        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(main())

    return run


def now() -> float:
    return START + asyncio.get_running_loop().time()


class BucketError(StoreError):
    def __init__(self, kind: str) -> None:
        super().__init__(f"the bucket is {kind}")
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Row(Due):
    blob: Blob | None = field(default=None, repr=False)
    dirty: bool = True


NOTHING = About()


class MemoryDisk:
    on_dirty: Callable[[], None] | None = None

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.error: Exception | None = None
        self.seconds = 0.0
        self.queries = 0
        self._version = 0

    def add(self, key: str, expires: float = 0.0, about: About = NOTHING, blob: Blob | None = b"") -> Row:
        self._version += 1
        content = f"{key} {self._version}".encode() if blob == b"" else blob
        row = Row(key, self._version, len(content or b""), about, expires, content)
        self.rows[key] = row
        if self.on_dirty:
            self.on_dirty()
        return row

    @property
    def dirty_ours(self) -> int:
        return sum(row.dirty for row in self.rows.values())

    async def due(self, limit: int, skip: Collection[str]) -> list[Row]:
        self.queries += 1
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        dirty = [row for row in self.rows.values() if row.dirty and row.key not in skip]
        return sorted(dirty, key=lambda row: row.version)[:limit]

    async def stats(self) -> DiskStats:
        return DiskStats(len(self.rows), 0, 0, 0, dirty_ours=self.dirty_ours)

    async def get(self, key: str) -> Blob | None:
        await asyncio.sleep(self.seconds)
        if self.error:
            raise self.error
        return self.rows[key].blob if key in self.rows else None

    def uploaded(self, key: str, version: int) -> None:
        row = self.rows.get(key)
        if row and row.version == version:
            self.rows[key] = replace(row, dirty=False)


class MemoryBucket:
    """`answer` decides what becomes of a put of that key: an error, or None."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.entries: list[Entry] = []
        self.puts: list[tuple[float, str]] = []
        self.seconds = 0.01
        self.answer: Callable[[str], Exception | None] = lambda key: None
        self.at_once = 0
        self.most_at_once = 0

    def fails(self, kind: str, *keys: str) -> None:
        """With all keys, or with these."""
        self.answer = lambda key: BucketError(kind) if not keys or key in keys else None

    def fails_by_turns(self) -> None:
        turns = cycle([None, BucketError("failed")])
        self.answer = lambda key: next(turns)

    def works(self) -> None:
        self.answer = lambda key: None

    async def put(self, entry: Entry) -> None:
        self.puts.append((asyncio.get_running_loop().time(), entry.key))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.at_once -= 1
        if error := self.answer(entry.key):
            raise error
        blob = entry.blob
        self.entries.append(entry)
        assert isinstance(blob, (bytes, Large))
        self.objects[entry.key] = blob.file.read() if isinstance(blob, Large) else blob


class MemoryLock:
    """One that several uploaders can be given."""

    def __init__(self) -> None:
        self.holder: object = None

    def of(self, who: object) -> "_Share":
        return _Share(self, who)


class _Share:
    def __init__(self, lock: MemoryLock, who: object) -> None:
        self._lock = lock
        self._who = who

    async def take(self) -> bool:
        if self._lock.holder is None:
            self._lock.holder = self._who
        return self._lock.holder is self._who

    def release(self) -> None:
        if self._lock.holder is self._who:
            self._lock.holder = None
