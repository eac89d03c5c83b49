import subprocess
import sys
from pathlib import Path

import pytest

from store.helpers import OpenDisk, names, query
from store.samples import belongs

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
