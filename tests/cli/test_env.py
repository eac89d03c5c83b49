"""`env` where no proxy runs, and with one; a shell uses it in tests/e2e/test_exec.py."""

import shutil

import pytest

import ports
from cli.console import Console
from e2e import certs
from launch.stubs import saying
from mitmcache.launch import find, running
from mitmcache.launch.proxy import CA


@pytest.fixture(autouse=True)
def nobody_at_the_usual_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "DEFAULT", f"http://127.0.0.1:{ports.free()}")


def test_without_a_proxy_it_fails_and_prints_nothing_to_evaluate(console: Console) -> None:
    done = console.run("env")
    assert (done.exit_code, done.stdout) == (1, "") and "no proxy is running" in done.stderr


@pytest.mark.parametrize(
    ("words", "shell", "start"),
    [
        ([], "/bin/bash", "export HTTPS_PROXY='{}'\n"),
        ([], "/usr/bin/fish", "set -gx HTTPS_PROXY '{}'\n"),
        (["--shell", "powershell"], "/bin/bash", "$env:HTTPS_PROXY = '{}'\n"),
    ],
)
def test_it_speaks_the_users_shell(
    console: Console, words: list[str], shell: str, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(certs.make(console.folder, ["a.example"]).ca, console.folder / CA)
    monkeypatch.setattr(running, "trusted", lambda *_: True)  # the stand-in speaks no TLS
    with saying(200, b'{"status": "ok"}') as server:
        at = Console(console.folder, {"MITMCACHE_PROXY": server.url, "SHELL": shell})
        said = at.ok("env", *words)
    assert said.startswith(start.format(server.url))
    assert all("=" in line or line.startswith("set -gx ") for line in said.splitlines())
