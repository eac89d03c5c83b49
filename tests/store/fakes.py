"""Tiers that a test can look into, stop and break."""

import asyncio

from mitmcache.selection import About
from mitmcache.store.base import Blob, Entry, StoreError


class FakeDisk:
    """A second tier that a test can stop in the middle of a read, or break."""

    def __init__(self, *entries: Entry) -> None:
        self.blobs = {entry.key: bytes_of(entry) for entry in entries}
        self.touched: list[str] = []
        self.lacking: set[str] = set()
        self.takes = True
        self.error: StoreError | None = None
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.reading = asyncio.Event()

    async def get(self, key: str) -> bytes | None:
        blob = self.blobs.get(key)
        self.reading.set()
        await self.go_on.wait()
        if self.error:
            raise self.error
        return blob

    def put(self, entry: Entry) -> bool:
        if self.takes:
            self.blobs[entry.key] = bytes_of(entry)
        return self.takes

    async def delete(self, key: str) -> None:
        if self.error:
            raise self.error
        self.blobs.pop(key, None)

    def touch(self, key: str) -> None:
        self.touched.append(key)

    def lacks(self, key: str) -> bool:
        return key in self.lacking

    async def close(self, deadline: float) -> None:
        self.closed_within = deadline


class FakeBucket:
    """A third tier; `error` breaks it."""

    def __init__(self, *entries: Entry) -> None:
        self.blobs: dict[str, Blob] = {entry.key: bytes_of(entry) for entry in entries}
        self.asked: list[tuple[str, About]] = []
        self.error: StoreError | None = None
        self.closed_within = 0.0

    async def get(self, key: str, about: About) -> Blob | None:
        self.asked.append((key, about))
        if self.error:
            raise self.error
        return self.blobs.get(key)

    async def delete(self, key: str, about: About) -> None:
        self.blobs.pop(key, None)

    async def close(self, deadline: float) -> None:
        self.closed_within = deadline


def bytes_of(entry: Entry) -> bytes:
    assert isinstance(entry.blob, bytes)
    return entry.blob
