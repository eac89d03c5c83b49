"""Takes records of a bundle into the local disk, one after another, each only if it is whole."""

import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import BinaryIO

from mitmcache.bundle import records
from mitmcache.bundle.file import Member, Refused
from mitmcache.cache.generations import Generations
from mitmcache.cache.record import Corrupt, ForeignVersion, Head
from mitmcache.selection import Selection
from mitmcache.store.base import LARGE, Entry, Staged, StoreError
from mitmcache.store.disk import DiskStore

QUEUED = 16 << 20
"""Bytes that wait for the disk."""
FLUSH = 600.0
_GROWTH = 1024  # of a head, by another generation and another time


@dataclass(slots=True)
class Counted:
    """`expired` are among the imported. `refused`: how many for each reason; `first` names one of them."""

    imported: int = 0
    there: int = 0
    expired: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    lost: int = 0

    def refuse(self, name: str, reason: str) -> None:
        self.refused[reason] += 1
        self.first.setdefault(reason, name)


class Importer:
    """What it puts is of the newest generation that is `known`, so that no purge of before hides it.

    A good record that is there already stays, unless `replace`. `expires` and `created` are None for as the
    record has it. `likeness` has the group and the shape of those records of which that is known, by key.
    """

    def __init__(
        self,
        disk: DiskStore,
        known: Generations,
        now: float,
        *,
        replace: bool,
        expires: float | None,
        created: float | None = None,
        likeness: Mapping[str, tuple[str, bytes]] = MappingProxyType({}),
    ) -> None:
        self.counted = Counted()
        self._disk = disk
        self._known = known
        self._now = now
        self._replace = replace
        self._expires = expires
        self._created = created
        self._likeness = likeness
        self._queued = 0

    async def take(self, part: Member | Refused) -> None:
        """Raises BadBundle where the bundle ends within the record, which is then not taken."""
        if isinstance(part, Refused):
            self.counted.refuse(part.name, part.reason)
        elif not self._replace and await self._there(part.key):
            self.counted.there += 1
        else:
            try:
                await self._put(part)
            except (Corrupt, ForeignVersion) as error:
                self.counted.refuse(part.key, str(error))

    async def finish(self) -> Counted:
        """When all that was taken is on the disk, or known not to be."""
        await self._flush()
        self.counted.lost = (await self._disk.stats()).write_failed
        self.counted.imported -= self.counted.lost
        return self.counted

    async def _there(self, key: str) -> bool:
        """One that can still be given: neither expired nor purged."""
        return any(
            self._known.valid(row.key, row.about) and not 0 < row.expires <= self._now
            for row in await self._disk.select(Selection(key=key), 1)
        )

    async def _put(self, part: Member) -> None:
        large = part.size + _GROWTH > LARGE
        head, blob = self._stage(part) if large else self._read(part)
        group, shape = self._likeness.get(part.key, ("", b""))
        entry = Entry(part.key, blob, head.meta.expires, group, shape, head.meta.about)
        self._queued += 0 if large else part.size
        if large or self._queued > QUEUED:
            await self._flush()
        if not self._disk.put(entry):
            raise Corrupt("there is no room for it")
        self.counted.imported += 1
        self.counted.expired += 0 < head.meta.expires <= self._now

    def _read(self, part: Member) -> tuple[Head, bytes]:
        target = io.BytesIO()
        head = self._copy(part, target)
        return head, target.getvalue()

    def _stage(self, part: Member) -> tuple[Head, Staged]:
        path = self._disk.stage()
        try:
            with records.write_file(path) as target:
                head = self._copy(part, target)
            return head, Staged(path, path.stat().st_size)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _copy(self, part: Member, target: BinaryIO) -> Head:
        return records.copy(part.file, part.key, target, self._known.latest, self._expires, self._created)

    async def _flush(self) -> None:
        if not await self._disk.flush(FLUSH):
            raise StoreError("the local disk does not get on with writing")
        self._queued = 0
