"""The contract of every store: bytes by key."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from mitmcache.selection import UNKNOWN, About

LARGE = 8 << 20
"""An encoded record of more bytes than this is never read into memory: it is a file, put and got."""


class Source(Protocol):
    def read(self, amount: int, /) -> bytes:
        """At most `amount` bytes, and none only at the end."""


class StoreError(Exception):
    """The store could not say. A miss is None, never this."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A large record on its way in: a finished file of ours, which the store takes over or removes."""

    path: Path
    size: int

    def __len__(self) -> int:
        return self.size


@dataclass(frozen=True, slots=True)
class Large:
    """A large record on its way out: an open file at its first byte, whole even if the store drops it now.

    Whoever gets it closes it.
    """

    file: BinaryIO = field(repr=False)
    size: int

    def __len__(self) -> int:
        return self.size


type Blob = bytes | Large


@dataclass(frozen=True, slots=True)
class Entry:
    """An encoded record and what a store must know of it without reading it.

    `expires` is in Unix seconds, 0 for never. `group` is what the caller's scope, host and dialect come
    to: entries of one group may explain each other's misses. `shape` (see cache/shape.py) is b"" or small.
    `copy`: it came from a slower tier, and is neither new nor to be uploaded.
    """

    key: str
    blob: bytes | Staged = field(repr=False)
    expires: float = 0.0
    group: str = ""
    shape: bytes = field(default=b"", repr=False)
    about: About = UNKNOWN
    copy: bool = False


class Store(Protocol):
    """Keys are 64 lower-case hex digits. No method raises anything but StoreError."""

    async def get(self, key: str) -> Blob | None:
        """The blob last put, expired or not; None when there is none."""

    def put(self, entry: Entry) -> bool:
        """Takes the entry without blocking; what is put can be got at once. False: no room in the queue,
        the entry was dropped. A later failure to write is counted in `stats`, and not reported here."""

    async def delete(self, key: str) -> None: ...

    async def close(self, deadline: float) -> None:
        """Writes what is queued, for at most `deadline` seconds, and lets go of all resources."""
