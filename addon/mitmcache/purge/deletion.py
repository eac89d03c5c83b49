"""Deletes in the bucket what a purge has made invalid. It may be stopped, and begun again.

An answer that is stored anew in the moment between looking and deleting goes with the old one of its name.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import batched
from typing import Protocol

from mitmcache.cache.record import Corrupt, ForeignVersion, Meta, head_length, read_head
from mitmcache.selection import Selection
from mitmcache.store.base import StoreError
from mitmcache.store.names import Names
from mitmcache.store.s3 import Listed
from mitmcache.store.seal import SEGMENT, START, Seal, sealed_size

SKEW = 60.0
"""Seconds by which the clocks of the server and of the proxies may differ."""
FIRST = 16 * 1024
READERS = 16
AT_ONCE = 1000
SECONDS = 30.0
TRIES = 4
PAUSE = 0.4
PASSING = frozenset({"throttled", "timeout", "unreachable", "failed"})


class Objects(Protocol):
    """Of store/s3.py, as far as it is needed here."""

    def list(self, prefix: str = "", *, deadline: float = SECONDS) -> Iterator[Listed]: ...

    def read_head(self, name: str, size: int, *, deadline: float = SECONDS) -> bytes | None: ...

    def delete(self, names: Iterable[str], *, deadline: float = SECONDS) -> int: ...


def sweep(
    objects: Objects,
    names: Names,
    seal: Seal | None,
    selection: Selection,
    n: int,
    progress: Callable[[int], None] | None = None,
    *,
    dry_run: bool = False,
    now: Callable[[], float] = time.time,
) -> int:
    """How many records were deleted (with `dry_run`, would be): those selected whose generation is below n.

    `progress` is told how many more, time after time. A record is looked into only where its name and its
    age do not tell; one that then turns out to be damaged or of another version stays. Raises StoreError.
    """
    listed = (item for item in objects.list(names.prefix(selection)) if names.is_entry(item.name))
    deleted = 0
    with ThreadPoolExecutor(READERS, thread_name_prefix="mitmcache-sweep") as pool:
        for some in batched(listed, AT_ONCE):
            told = [(item.name, _told(names, item, selection, n, now())) for item in some]
            unsure = [name for name, answer in told if answer is None]
            doomed = [name for name, answer in told if answer]
            metas = zip(unsure, pool.map(partial(_read, objects, seal), unsure), strict=True)
            doomed += [name for name, meta in metas if meta and _selected(names, name, meta, selection, n)]
            if doomed and not dry_run:
                _patiently(partial(objects.delete, doomed))
            deleted += len(doomed)
            if progress:
                progress(len(doomed))
    return deleted


def read_meta(objects: Objects, seal: Seal | None, name: str) -> Meta | None:
    """From the record's first bytes; None: there is none, or it is not to be read. Raises StoreError."""
    size = START if seal else FIRST
    while True:
        data = objects.read_head(name, size)
        try:
            start = seal.open_start(name, data) if seal and data else data
            if not start or not data:
                return None
            length = head_length(start)
            if length <= len(start) or len(data) < size:
                return read_head(start).meta
        except (Corrupt, ForeignVersion, ValueError):
            return None
        size = sealed_size(-(-length // SEGMENT) * SEGMENT) if seal else length


def _told(names: Names, item: Listed, selection: Selection, n: int, now: float) -> bool | None:
    """Whether to delete it, where name and age alone tell."""
    named = names.told(item.name, selection)
    if not named:
        return named
    # n is the time of the purge in milliseconds, unless a clock was ahead: then it tells no time
    unknowing = item.modified + SKEW < n / 1000 <= now + SKEW
    early = selection.before is None or item.modified + SKEW < selection.before
    return True if unknowing and early else None


def _selected(names: Names, name: str, meta: Meta, selection: Selection, n: int) -> bool:
    if not meta.generation < n or not selection.matches(meta.key, meta.about):
        return False
    try:
        return names.entry(meta.key, meta.about) == name
    except ValueError:
        return False


def _read(objects: Objects, seal: Seal | None, name: str) -> Meta | None:
    return _patiently(partial(read_meta, objects, seal, name))


def _patiently[T](ask: Callable[[], T]) -> T:
    """A sweep of a million objects does not end because one request failed."""
    for attempt in range(1, TRIES):
        try:
            return ask()
        except StoreError as error:
            if getattr(error, "kind", "") not in PASSING:
                raise
        time.sleep(random.uniform(PAUSE / 2, PAUSE) * 4 ** (attempt - 1))
    return ask()
