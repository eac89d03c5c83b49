"""The first tier: the most recently used entries, still encoded, in this process.

What a caller made of a blob may be left beside it, so that it is made once and not at every hit.
"""

from collections import OrderedDict

from mitmcache.store.base import Entry, Staged

# Measured on CPython 3.13: an OrderedDict node, its table slots, and the headers of a str and a bytes.
ENTRY_OVERHEAD = 320
# One entry may not push out more than this part of all others: one huge answer is worth less than many.
LARGEST_SHARE = 4
# What was made of blobs takes at most this part of all: the same bytes hold more answers encoded.
MADE_SHARE = 4


class MemoryStore:
    """A Store within `max_bytes`, overheads counted; the least recently used entry goes first.

    An entry that would take more than a quarter of `max_bytes` is not kept. Only for the event loop's thread.
    `bytes` are those of the entries, `made_bytes` those of what was made of them, which is let go of first.
    `hits` and `misses` count lookups, `evicted` entries that made room for others.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self.made_bytes = 0
        self.hits = self.misses = self.evicted = 0
        self._blobs: OrderedDict[str, bytes] = OrderedDict()
        self._made: OrderedDict[str, tuple[object, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._blobs)

    def __contains__(self, key: str) -> bool:
        return key in self._blobs

    async def get(self, key: str) -> bytes | None:
        blob = self._blobs.get(key)
        if blob is None:
            self.misses += 1
        else:
            self.use(key)
        return blob

    def use(self, key: str) -> None:
        """A hit of an entry that is here."""
        self.hits += 1
        self._blobs.move_to_end(key)

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
            self.evicted += 1
        self._make_room()
        return True

    def remember(self, key: str, blob: bytes, made: object, size: int) -> None:
        """Keeps what was made of that very blob, as long as the blob is here and there is room for `size`
        bytes more."""
        if self._blobs.get(key) is not blob or size * MADE_SHARE * LARGEST_SHARE > self.max_bytes:
            return
        self._forget(key)
        self._made[key] = made, size
        self.made_bytes += size
        self._make_room()

    def made_of(self, key: str, blob: bytes) -> object | None:
        """What was left by `remember`, if it is known and was made of that very blob."""
        return self.made(key) if self._blobs.get(key) is blob else None

    def made(self, key: str) -> object | None:
        """What was made of the blob that is here now, if anything was."""
        found = self._made.get(key)
        if found is None:
            return None
        self._made.move_to_end(key)
        return found[0]

    async def delete(self, key: str) -> None:
        self._drop(key)

    async def close(self, deadline: float) -> None:
        self._blobs.clear()
        self._made.clear()
        self.bytes = self.made_bytes = 0

    def _make_room(self) -> None:
        room = min(self.max_bytes // MADE_SHARE, self.max_bytes - self.bytes)
        while self.made_bytes > room:
            self._forget(next(iter(self._made)))

    def _drop(self, key: str) -> None:
        blob = self._blobs.pop(key, None)
        if blob is not None:
            self.bytes -= _cost(key, blob)
            self._forget(key)

    def _forget(self, key: str) -> None:
        if made := self._made.pop(key, None):
            self.made_bytes -= made[1]


def _cost(key: str, blob: bytes) -> int:
    return len(key) + len(blob) + ENTRY_OVERHEAD
