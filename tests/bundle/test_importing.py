"""The importer, on a disk that has no room or that is closed. The rest is in test_bundle.py."""

import io
import os
from pathlib import Path

import pytest

from cli.console import KEYS, made
from mitmcache.bundle import importing
from mitmcache.bundle.file import Member, Refused
from mitmcache.bundle.importing import Importer
from mitmcache.cache import record
from mitmcache.cache.generations import Generations
from mitmcache.store.base import LARGE, StoreError
from mitmcache.store.disk import DiskStore


@pytest.fixture
def disk(tmp_path: Path) -> DiskStore:
    """Of 1 MB, so that one record may take 250 kB."""
    store = DiskStore(tmp_path, 1_000_000, now=lambda: 1_000_000.0)
    store.open()
    return store


def importer(disk: DiskStore) -> Importer:
    return Importer(disk, Generations(floor=5), 0.0, replace=False, expires=None)


def member(number: int, size: int = 10) -> Member:
    blob = record.encode(made(number, body=os.urandom(size)))
    return Member(KEYS[number], len(blob), io.BytesIO(blob))


@pytest.mark.parametrize("size", [300_000, LARGE])
async def test_what_has_no_room_is_refused_and_leaves_nothing(
    disk: DiskStore, tmp_path: Path, size: int
) -> None:
    into = importer(disk)
    for part in (member(0, size), member(1), Refused("x", "not a plain file")):
        await into.take(part)
    counted = await into.finish()
    assert (counted.imported, counted.there, counted.lost) == (1, 0, 0)
    assert counted.refused == {"there is no room for it": 1, "not a plain file": 1}
    await disk.close(60)
    assert list((tmp_path / "tmp").iterdir()) == []


async def test_the_queue_is_written_before_it_is_full(
    disk: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "QUEUED", 1000)
    into = importer(disk)
    for number in range(30):
        await into.take(member(number, 500))
    assert (await into.finish()).imported == 30
    assert len(await disk.keys("", 100)) == 30
    await disk.close(60)


async def test_a_record_gets_the_newest_generation(disk: DiskStore) -> None:
    into = importer(disk)
    await into.take(member(0))
    await into.finish()
    blob = await disk.get(KEYS[0])
    assert isinstance(blob, bytes) and record.decode(blob, KEYS[0]).generation == 5
    await disk.close(60)


async def test_a_disk_that_does_not_write_is_an_error(disk: DiskStore) -> None:
    into = importer(disk)
    await into.take(member(0))
    await disk.close(60)
    with pytest.raises(StoreError):
        await into.finish()


async def test_what_is_known_of_a_requests_likeness_explains_misses(disk: DiskStore) -> None:
    likeness = {KEYS[1]: ("group", b"shape")}
    into = Importer(disk, Generations(), 0.0, replace=False, expires=None, likeness=likeness)
    for number in (0, 1):
        await into.take(member(number))
    assert (await into.finish()).imported == 2
    assert await disk.nearest("group") == [(KEYS[1], b"shape")]
    await disk.close(60)
