"""Real tiers and records; only the bucket is a dictionary."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from made import RECORD
from mitmcache.cache import record
from mitmcache.cache.body import Body
from mitmcache.cache.likeness import Likeness
from mitmcache.cache.record import ForeignVersion, Record
from mitmcache.finder import Finder, Found
from mitmcache.selection import About
from mitmcache.store.base import Blob, Entry
from mitmcache.store.disk import DiskStore
from mitmcache.store.memory import MemoryStore
from mitmcache.store.tiers import Tiers
from mitmcache.tally import Tally

PURGED = 7
"""The generation of the purge that has been."""
FRESH = replace(RECORD, expires=time.time() + 3600, created=time.time() - 60, generation=PURGED)
STALE = replace(FRESH, expires=time.time() - 1)
ABOUT = FRESH.about


class Bucket:
    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    async def get(self, key: str, about: About) -> Blob | None:
        assert (about.provider, about.model) == (ABOUT.provider, ABOUT.model)
        return self.blobs.get(key)

    async def delete(self, key: str, about: About) -> None:
        del self.blobs[key]

    async def close(self, deadline: float) -> None: ...


class World:
    def __init__(self, disk: DiskStore) -> None:
        self.bucket = Bucket()
        self.disk = disk
        self.tiers = Tiers(MemoryStore(1_000_000), disk, self.bucket, deadline=10)
        self.tally = Tally()
        self.likeness = Likeness((("path", b"/"),), Body("raw", b"", None, None), b"secret")
        self.purged_below = PURGED
        self._finder = Finder(
            self.tiers, self.tally, lambda key, about: about.generation >= self.purged_below
        )

    def put(self, tier: str, stored: Record | bytes) -> None:
        blob = stored if isinstance(stored, bytes) else record.encode(stored)
        entry = Entry(FRESH.key, blob, about=ABOUT)
        if tier == "memory":
            self.tiers.memory.put(entry)
        elif tier == "disk":
            self.disk.put(entry)
        else:
            self.bucket.blobs[FRESH.key] = blob

    async def find(self) -> Found | None:
        return await self._finder.find(FRESH.key, ABOUT, self.likeness)

    def at_hand(self) -> Found | None:
        return self._finder.at_hand(FRESH.key)

    async def has(self, tier: str) -> bool:
        if tier == "memory":
            return FRESH.key in self.tiers.memory
        return (
            await (self.disk.get(FRESH.key) if tier == "disk" else self.bucket.get(FRESH.key, ABOUT))
            is not None
        )


@pytest.fixture
async def world(tmp_path: Path):  # type: ignore[no-untyped-def]
    disk = DiskStore(tmp_path, 10_000_000, now=time.time)
    disk.open()
    yield World(disk)
    await disk.close(10)


TIERS = ("memory", "disk", "bucket")
PURGE = replace(FRESH, generation=PURGED - 1)
DAMAGED = record.encode(FRESH)[:-1]
FOREIGN = record.encode(FRESH)[:4] + b"\xff" + record.encode(FRESH)[5:]


@pytest.mark.parametrize("tier", TIERS)
async def test_a_fresh_record_is_found_and_fills_the_faster_tiers(world: World, tier: str) -> None:
    world.put(tier, FRESH)
    assert await world.find() == Found(FRESH, tier)
    assert [await world.has(name) for name in TIERS[: TIERS.index(tier) + 1]] == [True] * (
        TIERS.index(tier) + 1
    )
    assert await world.find() == Found(FRESH, "memory")


async def test_a_record_is_decoded_once_while_its_blob_stays_in_memory(world: World) -> None:
    world.put("memory", FRESH)
    first, second = await world.find(), await world.find()
    assert first and second and first.record is second.record
    newer = replace(FRESH, body=b"newer")
    world.put("memory", newer)
    assert await world.find() == Found(newer, "memory")


async def test_what_is_purged_after_it_was_decoded_is_not_served(world: World) -> None:
    world.put("memory", FRESH)
    await world.find()
    world.purged_below = PURGED + 1
    assert await world.find() is None


async def test_what_came_from_the_bucket_explains_misses_like_any_other(world: World) -> None:
    world.put("bucket", FRESH)
    await world.find()
    assert await world.disk.nearest(world.likeness.group) == [(FRESH.key, world.likeness.packed)]


@pytest.mark.parametrize("tier", ["memory", "disk"])
async def test_what_was_here_needs_no_likeness(world: World, tier: str) -> None:
    world.put(tier, FRESH)
    await world.find()
    assert not {"group", "shape"} & set(vars(world.likeness))


@pytest.mark.parametrize(
    "bad", [STALE, PURGE, DAMAGED, FOREIGN], ids=["stale", "purged", "damaged", "foreign"]
)
@pytest.mark.parametrize("tier", ["memory", "disk"])
async def test_a_slower_tier_may_have_a_better_one(world: World, tier: str, bad: Record | bytes) -> None:
    """Another machine has asked again, and shares what it got."""
    world.put(tier, bad)
    world.put("bucket", FRESH)
    assert await world.find() == Found(FRESH, "bucket")
    assert await world.find() == Found(FRESH, "memory")


@pytest.mark.parametrize("tier", TIERS)
async def test_where_none_is_fresh_the_first_that_was_is_given_and_not_copied(
    world: World, tier: str
) -> None:
    world.put(tier, STALE)
    for _ in range(2):
        world.put(tier, STALE)
        assert await world.find() == Found(STALE, tier)
    assert not await world.has("memory")


@pytest.mark.parametrize("tier", TIERS)
async def test_a_purged_record_is_a_miss(world: World, tier: str) -> None:
    world.put(tier, PURGE)
    assert await world.find() is None
    assert world.tally.corrupt == 0


@pytest.mark.parametrize("tier", TIERS)
async def test_a_damaged_record_is_a_miss_counted_once_and_removed(world: World, tier: str) -> None:
    world.put(tier, DAMAGED)
    assert await world.find() is None
    assert await world.find() is None
    assert (world.tally.corrupt, await world.has(tier)) == (1, False)


@pytest.mark.parametrize("tier", ["disk", "bucket"])
async def test_a_record_of_another_version_is_a_miss_and_left_alone(world: World, tier: str) -> None:
    world.put(tier, FOREIGN)
    with pytest.raises(ForeignVersion):
        await world.find()
    assert (world.tally.corrupt, await world.has(tier)) == (0, True)


@pytest.mark.parametrize(
    ("stored", "read", "there"),
    [(FRESH, True, True), (FRESH, False, False), (STALE, True, False), (None, False, False)],
    ids=["read before", "not yet read", "stale", "not there"],
)
async def test_what_is_at_hand_was_read_before_and_is_fresh(
    world: World, stored: Record | None, read: bool, there: bool
) -> None:
    if stored:
        world.put("memory", stored)
    if read:
        await world.find()
    before = world.tiers.memory.hits
    found = world.at_hand()
    assert (found == Found(FRESH, "memory")) == there and (found is None) != there
    assert world.tiers.memory.hits == before + there


async def test_what_has_been_purged_is_not_at_hand(world: World) -> None:
    world.put("memory", FRESH)
    await world.find()
    world.purged_below = PURGED + 1
    assert world.at_hand() is None
