import subprocess
import sys
from pathlib import Path

import pytest

from mitmcache.store.base import StoreError
from mitmcache.store.sole import Sole
from store.helpers import names

HOLDER = """
import asyncio, pathlib, sys
from mitmcache.store.sole import Sole
lock = Sole(pathlib.Path(sys.argv[1]), "uploads")
print(asyncio.run(lock.take()), flush=True)
sys.stdin.read()
"""


async def test_one_at_a_time_has_it(tmp_path: Path) -> None:
    one, two = Sole(tmp_path, "uploads"), Sole(tmp_path, "uploads")
    assert [await one.take(), await two.take(), await one.take(), await two.take()] == [
        True,
        False,
        True,
        False,
    ]
    two.release()
    assert not await two.take()
    one.release()
    assert await two.take()
    two.release()


async def test_other_things_and_other_folders_have_locks_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    locks = [Sole(tmp_path, "a"), Sole(tmp_path, "b"), Sole(tmp_path / "other", "a")]
    assert [await lock.take() for lock in locks] == [True] * 3
    for lock in locks:
        lock.release()


def holder(folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", HOLDER, str(folder)]
    path = {"PYTHONPATH": str(Path(__file__).parents[2] / "addon")}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=path)


async def test_it_ends_with_the_process_that_had_it(tmp_path: Path) -> None:
    """Even if this process has looked at the lock in vain."""
    lock, other = Sole(tmp_path, "uploads"), holder(tmp_path)
    try:
        assert other.stdout
        assert other.stdout.readline() == "True\n"
        assert not await lock.take()
        assert not await lock.take()
    finally:
        other.kill()
        other.communicate(timeout=60)
    assert await lock.take()
    lock.release()


async def test_to_look_at_it_in_vain_does_not_give_it_away(tmp_path: Path) -> None:
    """To close any descriptor of a file ends the locks that the process has on it."""
    lock = Sole(tmp_path, "uploads")
    assert await lock.take()
    assert not await Sole(tmp_path, "uploads").take()
    other = holder(tmp_path)
    assert other.communicate("", timeout=60)[0] == "False\n"
    lock.release()


async def test_the_file_says_nothing_and_is_private(tmp_path: Path) -> None:
    lock = Sole(tmp_path, "s3://a-telling-name/prefix")
    assert await lock.take()
    [name] = names(tmp_path, "*.lock")
    assert not [made for made in names(tmp_path, "*") if "telling" in made]
    lock.release()
    status = (tmp_path / name).stat()
    assert (status.st_mode & 0o777, status.st_size) == (0o600, 0)


async def test_rubbish_in_the_file_is_an_error_once(tmp_path: Path) -> None:
    lock = Sole(tmp_path, "uploads")
    await lock.take()
    lock.release()
    (tmp_path / names(tmp_path, "*.lock")[0]).write_bytes(b"rubbish " * 1000)
    with pytest.raises(StoreError, match="cannot lock"):
        await lock.take()
    assert await lock.take()
    lock.release()


async def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot lock"):
        await Sole(tmp_path / "gone", "uploads").take()
