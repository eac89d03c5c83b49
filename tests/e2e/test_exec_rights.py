"""`mitmcache exec` where something may not be written to."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from e2e.programs import DEADLINE, User, user
from e2e.upstream import ScriptedUpstream


@pytest.fixture
def anna(tmp_path: Path, confdir: Path, upstream: ScriptedUpstream) -> User:
    return user(tmp_path / "anna", confdir, upstream)


def unprivileged(at: User, *words: str) -> "subprocess.CompletedProcess[str]":
    """Root may write anywhere, unless it gives that up."""
    caps = "-dac_override,-dac_read_search"
    drop = ["setpriv", f"--bounding-set={caps}", f"--inh-caps={caps}"] if os.geteuid() == 0 else []
    if drop and not shutil.which("setpriv"):
        pytest.skip("no setpriv here")
    command = [*drop, *at.command(*words)]
    return subprocess.run(
        command, env=at.environ, capture_output=True, text=True, timeout=DEADLINE, check=False
    )


def test_a_folder_for_the_ca_that_cannot_be_written_to_is_said_and_is_125(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    (tmp_path / "confdir").mkdir(mode=0o555)
    anna = user(tmp_path / "anna", tmp_path / "confdir", upstream)
    done = unprivileged(anna, "exec", "--", "echo", "never")
    assert (done.returncode, done.stdout) == (125, "")
    assert f"{tmp_path / 'confdir'}" in done.stderr and "Permission denied" in done.stderr


def test_one_that_has_a_ca_is_enough(tmp_path: Path, confdir: Path, anna: User) -> None:
    assert anna.run("exec", "--", "true").returncode == 0  # makes a CA, if nobody has yet
    shutil.copytree(confdir, tmp_path / "confdir", ignore=shutil.ignore_patterns("trust-*", "ca-bundle*"))
    (tmp_path / "confdir").chmod(0o555)
    reading = User(anna.home, tmp_path / "confdir", anna.upstream)
    done = unprivileged(reading, "exec", "--", "curl", "-sS", "https://llm.cache/healthz")
    assert (done.returncode, done.stdout) == (0, '{"status":"ok"}'), done.stderr
    assert not list((anna.home / "tmp").iterdir())


def test_a_cache_that_cannot_be_written_to_is_said_and_the_program_runs(anna: User) -> None:
    (anna.home / "full").mkdir(mode=0o555)
    done = unprivileged(
        anna, "exec", "--set", f"llm_data_dir={anna.home / 'full' / 'data'}", "--", "echo", "hi"
    )
    assert (done.returncode, done.stdout) == (0, "hi\n")
    assert "mitmcache: answers are kept in memory alone" in done.stderr
