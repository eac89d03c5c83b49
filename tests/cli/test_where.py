"""What a command works on, and how it ends when that is not to be had."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cli.console import PREFIX, Console, local, made, shared
from clones import ROOT
from mitmcache.store import schema
from mitmcache.store.disk import DiskStore
from mitmcache.store.location import NOTED
from mitmcache.store.schema import DATABASE
from s3.faults import Fault, FaultProxy, Request
from s3.server import S3Server
from store.helpers import locked


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("llm_ttl=soon", "llm_ttl: "),
        ("llm_store=s3://", "llm_store: "),
        ("llm_secret=env:NOT_SET", "llm_secret: "),
        ("llm_policy=/nowhere", "llm_policy: "),
        ("llm_nonsense=1", "llm_nonsense"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_option(console: Console, option: str, words: str) -> None:
    assert words in console.fails("ls", "--set", option, code=2)


def test_a_wrong_value_in_config_yaml_is_one_too(console: Console) -> None:
    console.configure(llm_disk="much")
    assert "llm_disk: " in console.fails("stats", code=2)


def test_the_command_line_wins_over_config_yaml(console: Console, tmp_path: Path) -> None:
    console.fill(made(0))
    (tmp_path / "empty").mkdir()
    assert console.ok("ls", "--set", f"llm_data_dir={tmp_path / 'empty'}") == "nothing\n"
    assert console.ok("ls") != "nothing\n"


def test_the_bucket_is_the_last_proxy_s_unless_another_is_said(
    s3_server: S3Server, bucket: str, tmp_path: Path
) -> None:
    named = shared(tmp_path, s3_server, bucket)
    named.upload(made(0))
    environ = {name: value for name, value in s3_server.environ.items() if "ENDPOINT" not in name}
    console = Console(tmp_path, environ)
    console.configure(llm_data_dir=str(console.data))
    assert named.objects
    console.remember(NOTED, str(named.objects.location).encode())
    assert made(0).key in console.ok("ls", "--bucket")
    assert "llm_store" in console.fails("ls", "--bucket", "--set", "llm_store=")
    other = ["--set", f"llm_store=s3://{bucket}/{PREFIX}/other"]
    assert Console(tmp_path, s3_server.environ).ok("ls", "--bucket", *other) == "nothing\n"


def test_a_folder_that_cannot_be_used_is_named(console: Console, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "file is not a folder" in console.fails("ls", "--set", f"llm_data_dir={tmp_path / 'file'}", code=2)
    assert "cannot open the cache" in console.fails("ls", "--set", f"llm_data_dir={tmp_path / 'file' / 'in'}")


def test_a_database_of_a_newer_version_is_left_alone(console: Console) -> None:
    console.fill(made(0))
    console.remember("x", b"y")
    with sqlite3.connect(console.data / DATABASE) as db:
        db.execute("UPDATE meta SET value = 99 WHERE name = 'version'")
    db.close()
    assert "newer mitmcache" in console.fails("ls")


def test_nothing_is_evicted_by_a_command(console: Console) -> None:
    console.fill(*(made(n, body=os.urandom(60_000)) for n in range(20)))
    for words in (("ls",), ("stats",), ("purge", "--tag", "none", "--yes")):
        console.ok(*words, "--set", "llm_disk=100k")
    assert len(console.rows()) == 20


def test_it_works_beside_a_running_proxy(console: Console) -> None:
    console.fill(made(0))

    async def beside(proxy: DiskStore) -> None:
        assert made(0).key[:12] in await asyncio.to_thread(console.ok, "ls")
        await asyncio.to_thread(console.ok, "purge", "--all", "--yes")
        assert await proxy.get(made(0).key) is None

    console.disk(beside)


def test_a_database_that_somebody_holds_is_one_line_as_well(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    console.fill(made(0))
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.05)
    with locked(console.data):
        assert "locked" in console.fails("ls")


def test_the_variables_of_the_shell_s_proxy_do_not_count(
    s3_server: S3Server, bucket: str, tmp_path: Path
) -> None:
    console = shared(tmp_path, s3_server, bucket)
    nowhere = {
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "AWS_PROFILE": "unknown",
    }
    console.upload(made(0))
    assert made(0).key in Console(tmp_path, {**console.environ, **nowhere}).ok("ls", "--bucket")


def test_no_bucket_is_none(tmp_path: Path) -> None:
    assert local(tmp_path).ok("stats").count("\n") == 1


def test_ctrl_c_ends_it_though_the_bucket_hangs(
    tmp_path: Path, s3_server: S3Server, bucket: str, faults: FaultProxy
) -> None:
    console = shared(tmp_path, s3_server, bucket, endpoint=faults.endpoint)
    asked = threading.Event()

    def heard(request: Request) -> bool:
        asked.set()
        return True

    faults.behave(Fault.HANG, applies=heard)
    environ = {**os.environ, **console.environ, "PYTHONPATH": str(ROOT / "addon")}
    words = ["-m", "mitmcache", "ls", "--bucket", "--confdir", str(tmp_path)]
    with subprocess.Popen([sys.executable, *words], env=environ, stderr=subprocess.PIPE) as process:
        assert asked.wait(100)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=100)
    assert (process.returncode, said) == (1, b"\nAborted!\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_what_cannot_be_written_is_one_line(console: Console) -> None:
    console.fill(made(0, body=bytes(100_000)))
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "addon")}
    words = ["-m", "mitmcache", "export", "-", "--confdir", str(console.folder)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, *words], env=environ, stdout=full, stderr=subprocess.PIPE, timeout=100
        )
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, b"Error: No space left on device")
