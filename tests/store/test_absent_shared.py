"""Stores that share a folder: none takes for absent what another has written."""

import asyncio
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mitmcache.selection import Selection
from mitmcache.store import walhead
from mitmcache.store.disk import DiskStore
from store.filtering import Process
from store.helpers import OpenDisk, locked
from store.samples import entry, key

PUT = """
import asyncio, pathlib, sys, time
from mitmcache.store.disk import DiskStore
from store.samples import entry
async def put():
    store = DiskStore(pathlib.Path(sys.argv[1]), 1 << 27, now=time.time)
    store.open()
    store.put(entry("another's"))
    await store.close(60)
asyncio.run(put())
"""


names = st.integers(0, 9)
who = st.integers(0, 1)
happenings = st.one_of(
    st.tuples(st.just("put"), who, names),
    st.tuples(st.just("delete"), who, names),
    st.tuples(st.just("delete_newest"), who),
    st.tuples(st.just("step"), who),
    st.tuples(st.just("settle"), who),
    st.tuples(st.just("restart"), who),
)


@settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(happenings, max_size=40))
@pytest.mark.usefixtures("small_slices")
def test_whatever_two_processes_do_what_is_there_is_never_absent(
    happened: list[tuple[str, int] | tuple[str, int, int]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        processes = [Process(Path(folder)), Process(Path(folder))]
        for what, number, *names in happened:
            if what == "restart":
                processes[number].close()
                processes[number] = Process(Path(folder))
            else:
                getattr(processes[number], what)(*names)
            for process in processes:
                there = {key for (key,) in process.db.execute("SELECT key FROM entries")}
                assert not [n for n in range(10) if key(n) in there and process.absent(n)]
        for process in processes:
            process.settle()
            assert process.absent("none")
        for process in processes:
            process.close()


async def test_a_miss_asks_the_disk_until_it_is_known_that_it_is_one(
    open_disk: OpenDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_disk()
    store.put(entry("a"))
    await store.flush(60)
    with monkeypatch.context() as patched, locked(tmp_path):
        patched.setattr(store, "_reading", None)
        assert await store.get(key("none")) is None
        store.put(entry("b"))
        assert await store.get(key("b")) == entry("b").blob
    assert await store.get(key("a")) == entry("a").blob
    await store.remove(Selection())
    assert await store.get(key("a")) is None


async def test_what_another_process_has_put_is_there_at_once(open_disk: OpenDisk, tmp_path: Path) -> None:
    store = open_disk()
    await store.flush(60)
    assert await store.get(key("another's")) is None
    assert store._absent.spared == 1
    command = [sys.executable, "-c", PUT, str(tmp_path)]
    root = Path(__file__).parents[2]
    path = {"PYTHONPATH": f"{root / 'addon'}:{root / 'tests'}"}
    await asyncio.to_thread(subprocess.run, command, check=True, timeout=100, env=path)
    assert await store.get(key("another's")) == entry("another's").blob
    await store.flush(60)
    assert await store.get(key("another's")) == entry("another's").blob
    assert await store.get(key("none")) is None
    assert store._absent.spared == 2


async def test_stores_that_share_a_folder_find_what_the_other_has(open_disk: OpenDisk) -> None:
    stores: list[DiskStore] = [open_disk(), open_disk()]
    for n in range(30):
        one, other = stores[n % 2], stores[1 - n % 2]
        assert await one.get(key(n)) is None
        one.put(entry(n))
        assert await one.flush(60)
        assert await other.get(key(n)) == entry(n).blob


async def test_a_read_that_hangs_keeps_the_locks_of_its_connection(
    open_disk: OpenDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To close any descriptor of the file would end them."""
    monkeypatch.setattr(walhead, "_shared", {})
    goes_on = threading.Event()
    for hangs in (True, False):
        store = open_disk()
        await store.flush(60)
        reading = asyncio.create_task(store._reading().run(lambda db: goes_on.wait(30)))
        await asyncio.sleep(0)
        if not hangs:
            goes_on.set()
        await store.close(0.2 if hangs else 10)
        assert bool(walhead._shared) == hangs
        walhead._shared.clear()
        goes_on.set()
        await reading
