import logging
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from mitmcache.store import schema
from mitmcache.store.base import StoreError
from mitmcache.store.disk import DiskStore
from mitmcache.store.schema import DATABASE
from store.helpers import Clock, OpenDisk, Tmpfs, names, query
from store.samples import entry, key

ADDON = Path(__file__).parents[2] / "addon"
OPEN_AND_SAY_THE_SECRET = """
import sys
from pathlib import Path
from mitmcache.store import schema
from mitmcache.store.disk import DiskStore
schema.BUSY_SECONDS = 60.0
store = DiskStore(Path(sys.argv[1]), 1_000_000, now=lambda: 1.0)
sys.stdin.readline()
store.open()
sys.stdout.write(store.secret.hex())
"""


async def test_the_settings_are_those_we_mean(open_disk: OpenDisk, tmp_path: Path) -> None:
    open_disk()
    assert query(tmp_path, "PRAGMA journal_mode") == [("wal",)]
    assert query(tmp_path, "PRAGMA auto_vacuum") == [(2,)]


async def test_the_secret_stays_as_long_as_the_database(open_disk: OpenDisk, tmp_path: Path) -> None:
    store = open_disk()
    secret = store.secret
    assert len(secret) == 32
    await store.close(60)
    assert open_disk().secret == secret
    assert open_disk(tmp_path / "other").secret != secret


def test_processes_that_open_a_new_folder_at_once_end_with_one_secret(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPEN_AND_SAY_THE_SECRET, str(tmp_path / "cache")]
    openers = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(ADDON)},
        )
        for _ in range(4)
    ]
    for opener in openers:
        assert opener.stdin
        opener.stdin.write("go\n")
        opener.stdin.flush()
    secrets = {opener.communicate(timeout=100)[0] for opener in openers}
    assert [opener.returncode for opener in openers] == [0] * 4
    assert len(secrets) == 1
    assert len(secrets.pop()) == 64


async def test_a_newer_version_is_refused_and_left_alone(open_disk: OpenDisk, tmp_path: Path) -> None:
    store = open_disk()
    store.put(entry("a"))
    await store.close(60)
    query(tmp_path, "UPDATE meta SET value = 99 WHERE name = 'version'")
    before = (tmp_path / DATABASE).read_bytes()
    with pytest.raises(StoreError, match=rf"newer mitmcache .*{tmp_path}.* 99"):
        open_disk()
    assert (tmp_path / DATABASE).read_bytes() == before
    assert names(tmp_path, "*corrupt*") == []


GARBAGE = {"not a database": b"garbage " * 4096, "a database cut short": b""}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE.keys())
async def test_a_corrupt_database_is_set_aside_and_an_empty_one_begun(
    open_disk: OpenDisk, tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    store = open_disk()
    for n in range(100):
        store.put(entry(n))
    await store.close(60)
    path = tmp_path / DATABASE
    content = content or path.read_bytes()[:6000]
    path.write_bytes(content)
    store = open_disk()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert (tmp_path / f"{DATABASE}.corrupt-1").read_bytes() == content
    assert await store.get(key(1)) is None
    store.put(entry(1))
    await store.flush(60)
    assert await store.get(key(1)) == entry(1).blob


async def test_the_log_of_a_database_set_aside_is_not_played_into_the_new_one(
    open_disk: OpenDisk, tmp_path: Path
) -> None:
    store = open_disk(tmp_path / "running")
    for n in range(10):
        store.put(entry(n))
    await store.close(60)
    store = open_disk(tmp_path / "running")
    store.put(entry(1, variant=2))  # in the log alone, which does not hold the first page
    await store.flush(60)
    (tmp_path / "killed").mkdir()
    for suffix in ("-wal", "-shm"):
        shutil.copy(tmp_path / "running" / (DATABASE + suffix), tmp_path / "killed")
    (tmp_path / "killed" / DATABASE).write_bytes(b"garbage " * 4096)
    store = open_disk(tmp_path / "killed")
    assert query(tmp_path / "killed", "SELECT count(*) FROM entries") == [(0,)]
    assert query(tmp_path / "killed", "PRAGMA integrity_check") == [("ok",)]
    assert names(tmp_path / "killed", "*.corrupt-*") == [f"{DATABASE}.corrupt-1"]


async def test_only_the_two_latest_corrupt_databases_are_kept(open_disk: OpenDisk, tmp_path: Path) -> None:
    for n in range(4):
        (tmp_path / DATABASE).write_bytes(b"garbage %d " % n * 1000)
        await open_disk().close(60)
    kept = {name: (tmp_path / name).read_bytes()[:9] for name in names(tmp_path, "*corrupt*")}
    assert kept == {f"{DATABASE}.corrupt-1": b"garbage 3", f"{DATABASE}.corrupt-2": b"garbage 2"}


@pytest.mark.parametrize("met_by", ["reading", "writing"])
async def test_damage_that_is_met_while_running_is_mended_at_the_next_start(
    open_disk: OpenDisk, tmp_path: Path, met_by: str
) -> None:
    """Opening reads only the first pages, so it would not find this by itself."""
    store = open_disk()
    for n in range(500):
        store.put(entry(n))
    await store.close(60)
    path = tmp_path / DATABASE
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    path.write_bytes(content)
    store = open_disk()
    failed = 0
    for n in range(500):
        if met_by == "writing":
            store.put(entry(n, variant=2))
            continue
        try:
            await store.get(key(n))
        except StoreError:
            failed += 1
    await store.flush(60)
    assert failed + (await store.stats()).write_failed > 0
    await store.close(60)
    store = open_disk()
    assert (tmp_path / f"{DATABASE}.corrupt-1").exists()
    store.put(entry(1))
    await store.flush(60)
    assert await store.get(key(1)) == entry(1).blob


async def test_rubbish_in_the_lock_file_does_not_keep_the_store_closed(
    open_disk: OpenDisk, tmp_path: Path
) -> None:
    (tmp_path / "opening.lock").write_bytes(b"rubbish" * 100)
    store = open_disk()
    assert store.put(entry(1)) and await store.flush(60)
    assert await store.get(key(1)) == entry(1).blob


async def test_a_healthy_database_under_suspicion_is_kept(open_disk: OpenDisk, tmp_path: Path) -> None:
    store = open_disk()
    store.put(entry("a"))
    await store.close(60)
    schema.note_damage(tmp_path)
    assert await open_disk().get(key("a")) == entry("a").blob
    assert names(tmp_path, "*damaged") == []


async def test_a_folder_on_a_read_only_file_system_is_an_error_that_names_it(
    tmpfs: Tmpfs, open_disk: OpenDisk
) -> None:
    store = open_disk(tmpfs.folder)
    store.put(entry("a"))
    await store.close(60)
    tmpfs.remount("ro")
    with pytest.raises(StoreError, match=rf"{tmpfs.folder}: Read-only file system"):
        open_disk(tmpfs.folder)


def test_a_folder_that_is_a_file_is_an_error_that_names_it(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=f"{tmp_path / 'file'}: File exists"):
        DiskStore(tmp_path / "file", 1_000_000, now=clock).open()


async def test_a_database_that_stays_locked_is_an_error_that_names_it(
    open_disk: OpenDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(tmp_path / "opening.lock", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match=f"{tmp_path}: database is locked"):
            open_disk()
