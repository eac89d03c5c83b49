"""`mitmcache exec` between its own start and that of the command."""

import os
import signal
from pathlib import Path

import pytest

from e2e.programs import DEADLINE, User, user
from e2e.upstream import ScriptedUpstream


@pytest.fixture
def anna(tmp_path: Path, confdir: Path, upstream: ScriptedUpstream) -> User:
    return user(tmp_path / "anna", confdir, upstream)


def test_a_proxy_that_asks_for_a_password_is_given_it(anna: User, tmp_path: Path) -> None:
    (tmp_path / "confdir").mkdir()
    (tmp_path / "confdir" / "config.yaml").write_text("proxyauth: anna:pass\n")
    asked = User(anna.home, tmp_path / "confdir", anna.upstream)
    done = asked.run("exec", "--", "curl", "-sS", "https://llm.cache/healthz")
    assert (done.stdout, done.stderr) == ('{"status":"ok"}', "mitmcache: 0 hits, 0 misses\n")


def test_a_signal_while_the_proxy_starts_leaves_nobody_and_nothing(anna: User) -> None:
    lines = [
        "import pathlib, signal, time",
        "signal.signal(signal.SIGTERM, signal.SIG_DFL)",
        f"pathlib.Path({str(anna.home / 'up')!r}).open('wb').close()",
        f"time.sleep({DEADLINE})",
    ]
    (anna.home / "slow.py").write_text("\n".join(lines))
    os.mkfifo(anna.home / "up")
    with anna.started("exec", "-s", str(anna.home / "slow.py"), "--", "echo", "never") as process:
        (anna.home / "up").open("rb").close()
        process.terminate()
        out, _ = process.communicate(timeout=DEADLINE)
    assert (process.returncode, out) == (128 + signal.SIGTERM, "")
    assert not anna.processes() and not list((anna.home / "tmp").iterdir())


def test_an_environment_that_is_too_long_is_said_and_is_125(anna: User) -> None:
    # names of our own are added to it, and so is twice what it says here
    long = User(anna.home, anna.confdir, anna.upstream, {"NO_PROXY": "b" * (131072 - 10)})
    done = long.run("exec", "--", "echo", "never")
    assert (done.returncode, done.stdout) == (125, "") and "too long" in done.stderr
    assert "Traceback" not in done.stderr
