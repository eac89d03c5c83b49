from dataclasses import replace
from pathlib import Path

from mitmcache.store.misses import KEPT, MAX_PLACE, MAX_PLACES, Miss
from store.helpers import OpenDisk, query
from store.samples import key

MISS = Miss(1000.0, key(1), "api.made.example", "m-1", "uri-miss", key(2), ("a[0].b", "c"))


async def test_what_is_noted_is_found_the_latest_first(open_disk: OpenDisk) -> None:
    disk = open_disk()
    other = replace(MISS, at=1001.0, key=key(3), nearest="", places=())
    await disk.note([MISS])
    await disk.note([other])
    assert await disk.missed("", 10) == [other, MISS]
    assert await disk.missed("", 1) == [other]


async def test_it_is_found_by_the_beginning_of_its_key(open_disk: OpenDisk) -> None:
    disk = open_disk()
    one, other = replace(MISS, key="ab" * 32), replace(MISS, key="ac" * 32)
    await disk.note([one, other])
    assert await disk.missed("ab", 10) == [one]
    assert await disk.missed("a", 10) == [other, one]
    assert await disk.missed("b", 10) == await disk.missed("%", 10) == []


async def test_another_process_finds_it(open_disk: OpenDisk) -> None:
    first = open_disk()
    await first.note([MISS])
    assert await open_disk().missed("", 10) == [MISS]


async def test_the_last_ones_are_kept_and_cut_to_size(open_disk: OpenDisk, tmp_path: Path) -> None:
    disk = open_disk()
    long = replace(MISS, places=tuple("x" * 1000 for _ in range(1000)))
    for at in range(3):
        await disk.note([replace(long, at=float(at * KEPT + n)) for n in range(KEPT)])
    found = await disk.missed("", KEPT * 3)
    assert [miss.at for miss in found] == [float(n) for n in range(3 * KEPT - 1, 2 * KEPT - 1, -1)]
    assert found[0].places == ("x" * MAX_PLACE,) * MAX_PLACES
    assert query(tmp_path, "SELECT count(*) FROM misses") == [(KEPT,)]
