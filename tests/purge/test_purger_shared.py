import asyncio
import logging
from pathlib import Path

import pytest

from mitmcache.cache.generations import Generations, merge
from mitmcache.purge.control import read
from mitmcache.purge.purger import KNOWN
from mitmcache.selection import EVERYTHING, About, Selection
from mitmcache.store.base import StoreError
from mitmcache.store.disk import DiskStore
from mitmcache.store.names import CONTROL
from mitmcache.store.s3 import Objects
from mitmcache.store.s3_errors import BucketError, Kind
from mitmcache.store.seal import Seal
from purge.made_buckets import Asked, MadeObjects
from purge.purging import KEY, SOON, Note, Open, invalid, until

NONE = Generations()
M, T = Selection(model="m"), Selection(tag="t")
SEAL = Seal(b"a secret of the tests", "bucket/prefix")


async def remembered(disk: DiskStore, expected: Generations) -> None:
    async with asyncio.timeout(SOON):
        while True:
            stored = await disk.recall(KNOWN)
            if stored and Generations.from_json(stored) == expected:
                return
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("seal", [None, SEAL], ids=["plain", "sealed"])
async def test_a_purge_is_obeyed_by_all_who_share_a_real_bucket(
    make: Open, real: Objects, tmp_path: Path, seal: Seal | None
) -> None:
    disks = [DiskStore(tmp_path / name, 1 << 20, now=lambda: 0.0) for name in "ab"]
    for disk in disks:
        disk.open()
    one, two = (make(disk, Asked(real), seal) for disk in disks)
    one.start()
    two.start()
    await two.loaded()
    began = two.current.latest  # a call is under way, and will be stored as of now
    n = await one.purge(M)
    await until(lambda: two.current.latest == n)
    assert invalid(two, model="m", generation=began)
    assert two.valid(KEY, About(model="m", generation=two.current.latest))
    await asyncio.gather(one.purge(T), two.purge(Selection(tag="u")))
    await until(lambda: one.current == two.current and len(one.current.purges) == 3)
    for disk in disks:
        await remembered(disk, one.current)
    for purger in (one, two):
        await purger.close()
    for disk in disks:
        await disk.close(60)


async def test_a_purge_that_the_bucket_was_not_told_is_told_later(make: Open) -> None:
    note, objects = Note(), MadeObjects()
    objects.failures = [Kind.UNREACHABLE] * 5
    purger = make(note, Asked(objects))
    with pytest.raises(BucketError):
        await purger.purge(M)
    assert invalid(purger, model="m")
    assert CONTROL not in objects.bodies
    purger.start()
    await until(lambda: CONTROL in objects.bodies)
    found = read(objects, None)
    assert found and found.generations == Generations({M: 1000})


async def test_it_is_told_after_a_restart_and_above_what_happened_meanwhile(make: Open) -> None:
    note, objects = Note(), MadeObjects()
    objects.failures = [Kind.UNREACHABLE]
    first = make(note, Asked(objects))
    with pytest.raises(BucketError):
        await first.purge(M)
    assert await make(Note(), Asked(objects), at=5.0).purge(T) == 5000
    again = make(note, Asked(objects))
    again.start()
    await until(lambda: again.current.number(M) == 5001)
    found = read(objects, None)
    assert found and found.generations == Generations({T: 5000, M: 5001})
    puts = objects.asked["put"]
    polls = objects.asked["get"]
    await until(lambda: objects.asked["get"] > polls + 3)
    assert objects.asked["put"] == puts


async def test_without_a_disk_it_is_told_later_all_the_same(make: Open) -> None:
    objects = MadeObjects()
    objects.failures = [Kind.TIMEOUT]
    purger = make(None, Asked(objects))
    with pytest.raises(BucketError):
        await purger.purge(EVERYTHING)
    purger.start()
    await until(lambda: CONTROL in objects.bodies)
    found = read(objects, None)
    assert found and found.generations == Generations(floor=1000)


async def test_what_was_purged_without_this_bucket_is_not_told_to_it(make: Open) -> None:
    note, objects = Note(), MadeObjects()
    await make(note).purge(EVERYTHING)
    other = MadeObjects()
    other.failures = [Kind.DENIED]
    with pytest.raises(BucketError):
        await make(note, Asked(other, "s3://another")).purge(T)
    purger = make(note, Asked(objects))
    purger.start()
    await purger.loaded()
    n = await purger.purge(M)
    assert purger.current.floor == 1000
    found = read(objects, None)
    assert found and found.generations == Generations({M: n})


async def test_a_broken_disk_does_not_keep_a_purge_from_the_bucket(make: Open) -> None:
    note, objects = Note(), MadeObjects()
    purger = make(note, Asked(objects))
    purger.start()
    await purger.loaded()
    note.broken = True
    with pytest.raises(StoreError, match="broken"):
        await purger.purge(M)
    found = read(objects, None)
    assert found and found.generations == Generations({M: 1000})
    note.broken = False
    await until(lambda: KNOWN in note.values and note.known == purger.current)


@pytest.mark.parametrize("body", [b"{", b'{"version":2}', SEAL.seal(CONTROL, NONE.to_json())], ids=len)
async def test_what_is_not_understood_in_the_bucket_changes_nothing(
    make: Open, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    note, objects = Note(), MadeObjects()
    objects.put(CONTROL, body, deadline=1)
    purger = make(note, Asked(objects))
    with pytest.raises(StoreError, match="cannot be read"):
        await purger.purge(M)
    purger.start()
    with caplog.at_level(logging.WARNING):
        await until(lambda: bool(caplog.messages))
    assert (objects.bodies[CONTROL], purger.current) == (body, Generations({M: 1000}))


async def test_an_unchanged_bucket_is_asked_with_a_condition(make: Open) -> None:
    objects = MadeObjects()
    purger = make(None, Asked(objects))
    purger.start()
    await purger.purge(M)
    first = objects.asked["get"]
    await until(lambda: objects.asked["get"] > first + 5)
    assert objects.asked["unchanged"] >= 4
    assert objects.asked["put"] == 1
    assert merge(purger.current, NONE) == Generations({M: 1000})


async def test_a_server_that_ignores_conditions_is_found_out_at_the_start(
    make: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """Not only when somebody wants to purge; and each purge is refused by name."""
    objects = MadeObjects()
    objects.honest = False
    purger = make(None, Asked(objects))
    purger.start()
    await until(lambda: "answers are shared, but purges cannot be" in caplog.text)
    with pytest.raises(StoreError, match="ignores the conditions of a PUT"):
        await purger.purge(M)
    await purger.close()
    assert CONTROL not in objects.bodies
