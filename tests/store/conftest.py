import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mitmcache.store import absent, schema, walhead
from mitmcache.store.disk import DiskStore
from store.filtering import Process, Start
from store.helpers import Clock, OpenDisk, Tmpfs


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    made, _ = schema.open_database(tmp_path)
    with closing(made):
        yield made


@pytest.fixture
async def open_disk(tmp_path: Path, clock: Clock) -> AsyncIterator[OpenDisk]:
    """Opens a DiskStore, in `tmp_path` and of 100 MB unless told otherwise, and closes it after the test."""
    stores: list[DiskStore] = []

    def open_one(folder: Path = tmp_path, max_bytes: int = 100_000_000, **more: Any) -> DiskStore:
        store = DiskStore(folder, max_bytes, now=clock, **more)
        store.open()
        stores.append(store)
        return store

    yield open_one
    for store in stores:
        await store.close(60)


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Tmpfs]:
    """4 MB. To be asked for before `open_disk`, so that the stores are closed before it goes."""
    made = Tmpfs(tmp_path / "small")
    made.folder.mkdir()
    if not shutil.which("mount"):
        pytest.skip("there is no mount command")
    try:
        made.mount("size=4m")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"mounting a tmpfs is not allowed here: {error.stderr.decode().strip()}")
    yield made
    made.unmount()


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absent, "PAUSE", 0.0)
    monkeypatch.setattr(absent, "SLICE", 3)
    monkeypatch.setattr(absent, "KNOWN", 2)


@pytest.fixture
def started(tmp_path: Path, small_slices: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts processes in `tmp_path`, and closes them after the test."""
    made: list[Process] = []
    # without what stores have left that some other test has not quite closed
    monkeypatch.setattr(walhead, "_shared", {})

    def start(**more: Any) -> Process:
        made.append(Process(tmp_path, **more))
        return made[-1]

    yield start
    for process in made:
        process.close()
    assert not walhead._shared
