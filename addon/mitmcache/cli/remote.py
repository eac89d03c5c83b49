"""The bucket's records: found by listing, and looked into where a name does not tell."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import batched
from pathlib import Path

from mitmcache.cli.where import away
from mitmcache.purge.deletion import read_meta
from mitmcache.selection import About, Selection
from mitmcache.store.base import Blob, StoreError
from mitmcache.store.location import Location
from mitmcache.store.names import Names, is_key
from mitmcache.store.s3 import Listed, Objects
from mitmcache.store.seal import Seal
from mitmcache.store.transfer import Transfer, Unreadable

READERS = 16
AT_ONCE = 200
SECONDS = 30.0


class Remote:
    """Every method raises StoreError, and all but `ask` block."""

    def __init__(self, location: Location, secret: bytes) -> None:
        self.location = location
        self.objects = Objects(location, os.environ)
        self.seal = Seal(secret, location.namespace) if secret else None
        self.names = Names(self.seal)

    async def ask[T](self, work: Callable[[Objects], T]) -> T:
        """What the work returns or raises, in a thread."""
        return await away(partial(work, self.objects))

    def count(self) -> tuple[int, int]:
        """Records and their bytes."""
        number = size = 0
        for listed in self.objects.list(self.names.root):
            if self.names.is_entry(listed.name):
                number += 1
                size += listed.size
        return number, size

    def matching(self, selected: Selection) -> Iterator[Listed]:
        """In order of name. A record is read where its name does not tell whether it is selected."""
        prefix = self.names.prefix(selected)
        listed = (item for item in self.objects.list(prefix) if self.names.is_entry(item.name))
        if selected == Selection():
            yield from listed
            return
        with ThreadPoolExecutor(READERS) as pool:
            for some in batched(listed, AT_ONCE):
                answers = pool.map(partial(self._selected, selected=selected), some)
                yield from (item for item, answer in zip(some, answers, strict=True) if answer)

    def named(self, prefix: str, limit: int) -> list[tuple[str, str]]:
        """(key, name) of the first records whose key begins so; where they are sealed, it must be whole."""
        if self.seal:
            if not is_key(prefix):
                return []
            return [(prefix, self.names.entry(prefix, About()))]
        found: list[tuple[str, str]] = []
        for item in self.objects.list(self.names.root):
            parts = self.names.parse(item.name)
            if parts and parts.key.startswith(prefix):
                found.append((parts.key, item.name))
                if len(found) >= limit or parts.key == prefix:
                    break
        return found

    def fetch(self, name: str, stage: Callable[[], Path]) -> Blob | None:
        try:
            return Transfer(self.objects, self.seal, stage).get(name, SECONDS, lambda: None)
        except Unreadable:
            raise StoreError(
                f"the bucket {self.location}: the record is not sealed with this llm_secret, or was changed"
            ) from None

    def _selected(self, item: Listed, selected: Selection) -> bool:
        told = self.names.told(item.name, selected)
        if told is False:
            return False
        if told and selected.before is None:
            return True
        meta = read_meta(self.objects, self.seal, item.name)
        return meta is not None and selected.matches(meta.key, meta.about)
