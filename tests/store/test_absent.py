"""What the filter says, beside what a connection that looks finds."""

import asyncio
import math
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitmcache.selection import Selection
from mitmcache.store import absent, rows, schema, walhead
from mitmcache.store.absent import Absent
from mitmcache.store.base import Entry
from mitmcache.store.disk import DiskStore
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
    await store.close(10)
asyncio.run(put())
"""


class Process:
    """As good as one, for the database: a connection of its own, and a filter of its own."""

    def __init__(self, folder: Path, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.db, _ = schema.open_database(folder)
        self.db.execute("PRAGMA synchronous = OFF")
        self.calls = 0
        self.filter = Absent(self.called, clock)
        self.filter.open(self.db)

    def called(self) -> None:
        self.calls += 1

    def put(self, name: object) -> None:
        self.filter.add(key(name))
        self.write(name)

    def write(self, name: object) -> None:
        with schema.transaction(self.db):
            rows.put(self.db, Entry(key(name), b"x"), rows.new_version(1.0), 1.0, b"x")

    def delete(self, name: object) -> None:
        rows.delete(self.db, key(name))

    def delete_newest(self) -> None:
        self.db.execute("DELETE FROM entries WHERE rowid = (SELECT max(rowid) FROM entries)")

    def step(self) -> float:
        return self.filter.step(self.db)

    def settle(self) -> None:
        while self.step() != math.inf:
            pass

    def absent(self, name: object) -> bool:
        return self.filter.is_absent(key(name))

    def close(self) -> None:
        self.db.close()
        self.filter.close(connected=False)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absent, "PAUSE", 0.0)
    monkeypatch.setattr(absent, "SLICE", 3)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    made: list[Process] = []

    def start(**more: Callable[[], float]) -> Process:
        made.append(Process(tmp_path, **more))
        return made[-1]

    yield start
    for process in made:
        process.close()
    assert not walhead._shared


@pytest.mark.parametrize("there", [0, 1, 2, 3, 4, 7, 9])
def test_until_all_is_loaded_nothing_is_absent(started: Callable[..., Process], there: int) -> None:
    other = started()
    for n in range(there):
        other.put(n)
    process = started()
    slices = there // 3
    for _ in range(slices):
        assert not process.absent("none")
        assert process.step() == 0
    assert not process.absent("none")
    assert process.step() == math.inf
    assert process.absent("none")
    assert not any(process.absent(n) for n in range(there))
    assert process.filter.spared == 1


def test_what_is_put_here_is_never_absent(started: Callable[..., Process]) -> None:
    process = started()
    process.settle()
    process.filter.add(key("a"))
    assert not process.absent("a")
    process.put("a")
    assert not process.absent("b")
    process.settle()
    assert not process.absent("a") and process.absent("b")
    process.delete("a")
    process.settle()
    assert not process.absent("a")  # which is allowed


@pytest.mark.parametrize("before", [0, 1, 5])
@pytest.mark.parametrize("more", [1, 2, 3, 10])
def test_what_another_writes_is_never_absent(started: Callable[..., Process], before: int, more: int) -> None:
    process, other = started(), started()
    for n in range(before):
        process.put(n)
    process.settle()
    assert process.absent("none")
    for n in range(more):
        other.put(("other", n))
        assert not process.absent(("other", n))
    while process.step() != math.inf:
        assert not process.absent(("other", more - 1))
    assert process.absent("none")
    assert not any(process.absent(("other", n)) for n in range(more))


@pytest.mark.parametrize("gone", ["newest", "newest, by us", "all", "newest and back"])
def test_a_row_in_the_place_of_one_that_is_gone_is_never_absent(
    started: Callable[..., Process], gone: str
) -> None:
    """The number of the newest row is given again."""
    process, other = started(), started()
    for n in range(2):
        process.put(n)
    process.settle()
    if gone == "newest, by us":
        process.delete_newest()
    elif gone == "newest and back":
        other.delete(1)
        other.delete(0)
        other.write("other")
        other.write(1)
    else:
        for _ in range(2 if gone == "all" else 1):
            other.delete_newest()
    if gone != "newest and back":
        other.write("other")
    process.settle()
    assert not process.absent("other") and process.absent("none")


def test_rows_that_come_while_it_loads_are_never_absent(started: Callable[..., Process]) -> None:
    process, other = started(), started()
    for n in range(10):
        other.put(n)
    for n in range(10, 30):
        process.step()
        other.put(n)
        assert not process.absent(n)
    process.settle()
    assert not any(process.absent(n) for n in range(30))
    assert process.absent("none")


def test_it_asks_to_be_brought_up_to_date_but_not_all_the_time(started: Callable[..., Process]) -> None:
    now = 100.0
    process, other = started(clock=lambda: now), started()
    assert not process.absent("none")
    process.settle()
    assert process.absent("none") and process.calls == 0
    other.put("a")
    for _ in range(3):
        assert not process.absent("none")
    assert process.calls == 1
    now += absent.WAKE_SECONDS
    assert not process.absent("none")
    assert process.calls == 2


def test_slices_are_apart_and_so_are_loadings(
    started: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(absent, "PAUSE", 1.0)
    now = 100.0
    other = started()
    for n in range(7):
        other.put(n)
    process = started(clock=lambda: now)
    assert [process.step(), process.step()] == [1.0, 1.0]
    now += 0.75
    assert process.step() == 0.25
    now += 0.25
    assert process.step() == 1.0
    now += 1.0
    assert process.step() == math.inf
    other.delete_newest()
    assert process.step() == 2 * absent.REST
    now += 2 * absent.REST
    assert process.step() == 1.0


class Failing:
    """A connection whose statements fail, or one of them."""

    def __init__(self, db: sqlite3.Connection, at: str) -> None:
        self._db = db
        self._at = at

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        if statement.startswith(self._at):
            raise sqlite3.OperationalError("disk I/O error")
        return self._db.execute(statement, values)


@pytest.mark.parametrize("at", ["", "BEGIN", "PRAGMA", "SELECT"])
def test_where_it_cannot_be_brought_up_to_date_the_disk_is_asked(
    started: Callable[..., Process], at: str
) -> None:
    process, other = started(), started()
    process.settle()
    other.put("a")
    failing = Failing(process.db, at)
    assert process.filter.step(failing) == absent.RETRY_SECONDS  # type: ignore[arg-type]  # all that is used
    other.put("b")
    assert not process.absent("none")
    process.settle()
    assert process.absent("none")
    assert not any(process.absent(name) for name in "ab")


def test_another_database_in_the_place_of_ours_ends_it(
    started: Callable[..., Process], tmp_path: Path
) -> None:
    process = started()
    process.settle()
    assert process.absent("none")
    (tmp_path / "cache.sqlite3-shm").rename(tmp_path / "aside")
    assert process.step() == absent.RETRY_SECONDS
    assert not process.absent("none")


def test_a_key_that_is_none_ends_it(started: Callable[..., Process]) -> None:
    process = started()
    process.db.execute(
        "INSERT INTO entries (key, size, version, used, expires, created, generation, provider, host, model,"
        " tags, grp, shape) VALUES ('no key', 0, 1, 0, 0, 0, 0, '', '', '', '', '', '')"
    )
    assert process.step() == absent.RETRY_SECONDS
    assert not process.absent("none")


def test_where_the_head_cannot_be_read_nothing_is_absent() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        filtered = Absent(lambda: None)
        filtered.open(db)
        assert filtered.step(db) == math.inf
        assert not filtered.is_absent(key("none"))
        filtered.close(connected=False)


def test_few_are_taken_for_another(started: Callable[..., Process]) -> None:
    process = started()
    for n in range(50_000):
        process.filter.add(key(n))
    process.settle()
    assert sum(process.absent(("other", n)) for n in range(10_000)) > 9_990  # with a single bit, 9,970


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


@settings(deadline=None, max_examples=100)
@given(st.lists(happenings, max_size=40))
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
    await store.flush(10)
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
    await store.flush(10)
    assert await store.get(key("another's")) is None
    assert store._absent.spared == 1
    command = [sys.executable, "-c", PUT, str(tmp_path)]
    root = Path(__file__).parents[2]
    path = {"PYTHONPATH": f"{root / 'addon'}:{root / 'tests'}"}
    await asyncio.to_thread(subprocess.run, command, check=True, timeout=60, env=path)
    assert await store.get(key("another's")) == entry("another's").blob
    await store.flush(10)
    assert await store.get(key("another's")) == entry("another's").blob
    assert await store.get(key("none")) is None
    assert store._absent.spared == 2


async def test_stores_that_share_a_folder_find_what_the_other_has(open_disk: OpenDisk) -> None:
    stores: list[DiskStore] = [open_disk(), open_disk()]
    for n in range(30):
        one, other = stores[n % 2], stores[1 - n % 2]
        assert await one.get(key(n)) is None
        one.put(entry(n))
        assert await one.flush(10)
        assert await other.get(key(n)) == entry(n).blob
