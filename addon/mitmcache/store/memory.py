"""The first tier: the most recently used entries, still encoded, in this process."""

from collections import OrderedDict

from mitmcache.store.base import Entry, Staged

# Measured on CPython 3.13: an OrderedDict node, its table slots, and the headers of a str and a bytes.
ENTRY_OVERHEAD = 320
# One entry may not push out more than this part of all others: one huge answer is worth less than many.
LARGEST_SHARE = 4


class MemoryStore:
    """A Store within `max_bytes`, overheads counted; the least recently used entry goes first.

    An entry that would take more than a quarter of `max_bytes` is not kept. Only for the event loop's thread.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._blobs: OrderedDict[str, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._blobs)

    def __contains__(self, key: str) -> bool:
        return key in self._blobs

    async def get(self, key: str) -> bytes | None:
        blob = self._blobs.get(key)
        if blob is not None:
            self._blobs.move_to_end(key)
        return blob

    def put(self, entry: Entry) -> bool:
        """False: the entry is too large to keep. What its key had before is gone all the same."""
        self._drop(entry.key)
        if isinstance(entry.blob, Staged):
            return False
        cost = _cost(entry.key, entry.blob)
        if cost * LARGEST_SHARE > self.max_bytes:
            return False
        self._blobs[entry.key] = entry.blob
        self.bytes += cost
        while self.bytes > self.max_bytes:
            self._drop(next(iter(self._blobs)))
        return True

    async def delete(self, key: str) -> None:
        self._drop(key)

    async def close(self, deadline: float) -> None:
        self._blobs.clear()
        self.bytes = 0

    def _drop(self, key: str) -> None:
        blob = self._blobs.pop(key, None)
        if blob is not None:
            self.bytes -= _cost(key, blob)


def _cost(key: str, blob: bytes) -> int:
    return len(key) + len(blob) + ENTRY_OVERHEAD
