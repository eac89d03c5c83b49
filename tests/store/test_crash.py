import subprocess
import sys
from pathlib import Path

import pytest

from mitmcache.store.schema import DATABASE, note_damage
from store.helpers import OpenDisk, names, query
from store.samples import belongs, entry, key

HERE = Path(__file__).parent
PATH = {"PYTHONPATH": f"{HERE.parents[1] / 'addon'}:{HERE.parent}"}


def start(folder: Path, seed: int) -> "subprocess.Popen[str]":
    command = [sys.executable, str(HERE / "hammer.py"), str(folder), str(seed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=PATH)


def hammer_and_kill(folder: Path, round_number: int) -> list[str]:
    """Two processes at once, killed in the middle; gives all that they said."""
    running = [start(folder, 2 * round_number + n) for n in range(2)]
    said = []
    try:
        for process in running:
            assert process.stdout
            said += [process.stdout.readline() for _ in range(3 + round_number)]
    finally:
        for process in running:
            process.kill()
            said += process.communicate(timeout=30)[0].splitlines(keepends=True)
    return said


@pytest.mark.parametrize("seed", [0, 10])
async def test_two_processes_killed_while_writing_leave_a_store_that_is_whole(
    open_disk: OpenDisk, tmp_path: Path, seed: int
) -> None:
    """What is read is right at any time, before the kill and after; a miss is allowed."""
    for round_number in range(3):
        said = hammer_and_kill(tmp_path, seed + round_number)
        assert {line for line in said if line.endswith("\n")} == {"0 0 0\n"}
        store = open_disk()
        assert names(tmp_path, "*corrupt*") == []
        assert query(tmp_path, "PRAGMA integrity_check") == [("ok",)]
        keys = [str(row[0]) for row in query(tmp_path, "SELECT key FROM entries")]
        blobs = [(key, await store.get(key)) for key in keys]
        assert [key for key, blob in blobs if blob is not None and not belongs(key, blob)] == []
        missing = sum(blob is None for _, blob in blobs)
        assert len(keys) > 20
        assert missing <= 2 * 64  # what two batches can have been in the middle of replacing
        assert query(tmp_path, "SELECT n = (SELECT count(*) FROM entries) FROM totals") == [(1,)]
        await store.close(10)


async def test_a_database_that_is_set_aside_while_another_process_has_it_open_leaves_the_new_one_alone(
    open_disk: OpenDisk, tmp_path: Path
) -> None:
    """The other's log and its index of it go by the names that the new database's will have."""
    store = open_disk()
    for n in range(500):
        store.put(entry(f"before {n}", 10_000))
    await store.close(10)
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
        assert await store.flush(20)
        assert [n for n in range(100) if await store.get(key(n)) != entry(n).blob] == []
        assert query(tmp_path, "PRAGMA integrity_check") == [("ok",)]
        assert (await store.stats()).write_failed == 0
    finally:
        other.kill()
        other.communicate(timeout=30)
