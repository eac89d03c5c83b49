import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from mitmcache.store.disk import DiskStore
from mitmcache.store.schema import DATABASE, note_damage
from store.helpers import OpenDisk, files, names, query
from store.samples import belongs, entry, key

HERE = Path(__file__).parent
PATH = {"PYTHONPATH": f"{HERE.parents[1] / 'addon'}:{HERE.parent}"}


def start(folder: Path, seed: int, script: str = "hammer.py") -> "subprocess.Popen[str]":
    command = [sys.executable, str(HERE / script), str(folder), str(seed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=PATH)


def run_and_kill(running: "list[subprocess.Popen[str]]", lines: int) -> list[list[str]]:
    """Kills them when each has said so many lines; gives all whole lines of each."""
    said: list[list[str]] = [[] for _ in running]
    try:
        for process, heard in zip(running, said, strict=True):
            assert process.stdout
            heard += [process.stdout.readline() for _ in range(lines)]
    finally:
        for process in running:
            process.kill()
        for process, heard in zip(running, said, strict=True):
            heard += process.communicate(timeout=60)[0].splitlines(keepends=True)
    return [[line for line in heard if line.endswith("\n")] for heard in said]


@pytest.mark.parametrize("seed", [0, 10])
async def test_two_processes_killed_while_writing_leave_a_store_that_is_whole(
    open_disk: OpenDisk, tmp_path: Path, seed: int
) -> None:
    """What is read is right at any time, before the kill and after, and no row has lost its file."""
    for round_number in range(3):
        running = [start(tmp_path, 2 * (seed + round_number) + n) for n in range(2)]
        said = run_and_kill(running, 3 + round_number)
        assert {line for heard in said for line in heard} == {"0 0 0\n"}
        store = open_disk()
        assert names(tmp_path, "*corrupt*") == []
        assert query(tmp_path, "PRAGMA integrity_check") == [("ok",)]
        keys = [str(row[0]) for row in query(tmp_path, "SELECT key FROM entries")]
        blobs = [(key, await store.get(key)) for key in keys]
        assert [key for key, blob in blobs if not belongs(key, blob)] == []
        assert len(keys) > 20
        assert query(tmp_path, "SELECT n = (SELECT count(*) FROM entries) FROM totals") == [(1,)]
        await store.close(60)


async def lost(store: DiskStore, folder: Path, seed: int, stored: int) -> list[str]:
    """What is wrong with the first so many entries of the filler with that seed."""
    dirty = {row[0]: row[1] for row in query(folder, "SELECT key, dirty FROM entries")}
    wrong = []
    for n in range(stored):
        name = key(f"{seed} {n}")
        if not belongs(name, await store.get(name)):
            wrong.append(f"entry {n} of {stored}")
        elif n % 3 and dirty[name] != "bucket":
            wrong.append(f"the upload of entry {n} of {stored}")
    return wrong


async def test_of_fifty_processes_killed_while_writing_none_loses_what_it_had_counted_as_stored(
    open_disk: OpenDisk, tmp_path: Path
) -> None:
    """And what they leave behind is swept."""
    chance = random.Random(1)
    counted: dict[int, int] = {}
    for seed in range(0, 50, 2):
        seeds = (seed, seed + 1)
        said = run_and_kill([start(tmp_path, one, "filler.py") for one in seeds], chance.randrange(1, 8))
        for one, heard in zip(seeds, said, strict=True):
            counted[one], failed = map(int, heard[-1].split())
            assert failed == 0
    store = open_disk()
    assert names(tmp_path, "*corrupt*") == []
    assert query(tmp_path, "PRAGMA integrity_check") == [("ok",)]
    assert {one: wrong for one in counted if (wrong := await lost(store, tmp_path, one, counted[one]))} == {}
    assert sum(counted.values()) > 500
    dirty = "SELECT count(*) FROM entries WHERE dirty = 'bucket'"
    assert query(tmp_path, dirty) == query(tmp_path, "SELECT n FROM spool")
    assert query(tmp_path, f"{dirty} AND tags <> ''") < query(
        tmp_path, "SELECT count(*) FROM entries WHERE tags <> ''"
    )
    await store.close(60)
    for path in files(tmp_path):
        os.utime(path, (100, 100))
    store = open_disk()
    for _ in range(300):
        assert await store.flush(60)
    assert query(tmp_path, "SELECT count(*) FROM entries WHERE blob IS NULL") == [(len(files(tmp_path)),)]
    assert names(tmp_path, "tmp/*") == []


async def test_a_database_that_is_set_aside_while_another_process_has_it_open_leaves_the_new_one_alone(
    open_disk: OpenDisk, tmp_path: Path
) -> None:
    """The other's log and its index of it go by the names that the new database's will have."""
    store = open_disk()
    for n in range(500):
        store.put(entry(f"before {n}", 10_000))
    await store.close(60)
    other = start(tmp_path, 1)
    try:
        assert other.stdout
        assert other.stdout.readline()
        with (tmp_path / DATABASE).open("r+b") as file:
            file.write(b"garbage " * 500_000)  # the other's log may still hold a few good pages
        note_damage(tmp_path)
        store = open_disk()
        assert names(tmp_path, "*.corrupt-*") == [f"{DATABASE}.corrupt-1"]
        for n in range(100):
            assert store.put(entry(n))
        assert await store.flush(60)
        assert [n for n in range(100) if await store.get(key(n)) != entry(n).blob] == []
        assert query(tmp_path, "PRAGMA integrity_check") == [("ok",)]
        assert (await store.stats()).write_failed == 0
    finally:
        other.kill()
        other.communicate(timeout=60)
