"""What goes wrong is said, and nothing is left running."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_plugin.project import HELLO, PLUGIN, Project

RECORDING = "mitmcache/test_it/test_hello.tar"


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        ("llm_hosts", "'llm_hosts' is not name=value"),
        ("llm_hostz=x", "unknown option llm_hostz; did you mean llm_hosts?"),
    ],
)
def test_a_bad_option_is_named(option: str, complaint: str, project: Project) -> None:
    project.pytester.makeini(f"[pytest]\nmitmcache_options = {option}\n")
    project.asking(HELLO.format("hello"))
    assert complaint in project.run()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "no tar at all": lambda data: b"rubbish" * 200,
    "cut short": lambda data: data[:700],
    "empty": lambda data: b"",
    "a flipped bit": lambda data: data[:900] + bytes([data[900] ^ 1]) + data[901:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_recording_is_said_to_be_one(damage: str, project: Project) -> None:
    project.asking(HELLO.format("hello"))
    project.run(passed=1)
    path = project.pytester.path / RECORDING
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    said = project.run(errors=1)
    assert f"mitmcache: {path} " in said
    assert "damaged" in said or "cannot be read" in said


def test_a_folder_that_cannot_be_written_is_named(project: Project) -> None:
    (project.pytester.path / "mitmcache").write_text("a file, where the folder should be")
    project.asking(HELLO.format("hello"))
    said = project.run(failed=1)
    assert "nothing was recorded: " in said
    assert str(project.pytester.path / "mitmcache") in said


def test_no_folder_for_the_proxy_fails_each_test_with_the_reason(project: Project) -> None:
    project.write(
        """
        import tempfile
        tempfile.tempdir = "/nowhere/at/all"
        """,
        "conftest",
    )
    project.asking(HELLO.format("hello"))
    assert "no folder for the proxy: /nowhere/at/all" in project.run(errors=1)


STILL = """
import os, pathlib

@pytest.mark.mitmcache
def test_hello():
    ask("hello")
    proxy = [p for p in pathlib.Path("/proc").glob("[0-9]*") if is_proxy(p)]
    pathlib.Path("pid").write_text(proxy[0].name)
    os.kill(os.getpid(), {})

def is_proxy(process):
    try:
        return process.joinpath("stat").read_text().split(") ")[1].split()[1] == str(os.getpid())
    except OSError:
        return False
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_proxy_outlives_its_session(number: signal.Signals, project: Project) -> None:
    project.asking(STILL.format(int(number)))
    subprocess.run(
        [sys.executable, "-m", "pytest", *PLUGIN, "-p", "no:cacheprovider"],
        cwd=project.pytester.path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    gone(int((project.pytester.path / "pid").read_text()))
    if number == signal.SIGINT:
        assert list(project.temporary.iterdir()) == []


def gone(pid: int) -> None:
    """Waits for the end of a process that is no child of ours."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ready, _, _ = select.select([descriptor], [], [], 20)
    os.close(descriptor)
    assert ready or "Z" in Path(f"/proc/{pid}/stat").read_text()


def test_a_proxy_that_dies_fails_the_tests_that_need_it_and_says_so(project: Project) -> None:
    dying = STILL.format(0).replace("os.kill(os.getpid(), 0)", "os.kill(int(proxy[0].name), 9)")
    project.asking(dying + "\n\n@pytest.mark.mitmcache\ndef test_two():\n    ask('two')\n")
    said = project.run(failed=1, errors=1)
    assert said.count("the proxy does not answer") >= 2


def test_workers_of_xdist_have_a_proxy_each(project: Project) -> None:
    pytest.importorskip("xdist")
    project.asking(
        """
        @pytest.mark.mitmcache
        @pytest.mark.parametrize("text", ["one", "two", "three", "four"])
        def test_it(text):
            assert ask(text) == f"You said {text}."
        """
    )
    project.run("-n", "2", passed=4)
    project.elsewhere()
    project.run("-n", "2", passed=4)
    assert list(project.temporary.iterdir()) == []
