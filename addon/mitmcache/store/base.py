"""The contract of every store: bytes by key."""

from dataclasses import dataclass, field
from typing import Protocol


class StoreError(Exception):
    """The store could not say. A miss is None, never this."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An encoded record and what a store must know of it without reading it.

    `expires` is in Unix seconds, 0 for never. `group` is what the caller's scope, host and dialect come
    to: entries of one group may explain each other's misses. `shape` (see cache/shape.py) is b"" or small.
    """

    key: str
    blob: bytes = field(repr=False)
    expires: float = 0.0
    group: str = ""
    shape: bytes = field(default=b"", repr=False)


class Store(Protocol):
    """Keys are 64 lower-case hex digits. No method raises anything but StoreError."""

    async def get(self, key: str) -> bytes | None:
        """The blob last put, expired or not; None when there is none."""

    def put(self, entry: Entry) -> bool:
        """Takes the entry without blocking; what is put can be got at once. False: no room in the queue,
        the entry was dropped. A later failure to write is counted in `stats`, and not reported here."""

    async def delete(self, key: str) -> None: ...

    async def close(self, deadline: float) -> None:
        """Writes what is queued, for at most `deadline` seconds, and lets go of all resources."""
