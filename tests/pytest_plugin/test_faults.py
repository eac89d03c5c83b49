"""What goes wrong is said, and nothing is left running."""

import signal
from collections.abc import Mapping
from functools import partial
from tempfile import mkdtemp

import pytest

from mitmcache.pytest_plugin import launch, session
from mitmcache.pytest_plugin.launch import Launched
from pytest_plugin.project import HELLO, Project

RECORDING = "mitmcache/test_it/test_hello.tar"


def test_a_damaged_recording_is_said_to_be_one(within: Project) -> None:
    within.asking(HELLO.format("hello"))
    within.run(passed=1)
    path = within.pytester.path / RECORDING
    data = path.read_bytes()
    path.write_bytes(data[:900] + bytes([data[900] ^ 1]) + data[901:])
    assert f"mitmcache: {path} is damaged: " in within.run(errors=1)


def test_a_folder_that_cannot_be_written_is_named(within: Project) -> None:
    (within.pytester.path / "mitmcache").write_text("a file, where the folder should be")
    within.asking(HELLO.format("hello"))
    said = within.run(failed=1)
    assert "nothing was recorded: " in said
    assert str(within.pytester.path / "mitmcache") in said


def test_a_proxy_that_cannot_be_started_fails_each_test_with_the_reason_and_is_tried_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def launched(options: Mapping[str, str]) -> Launched:
        tried.append(1)
        return Launched(options)

    monkeypatch.setattr(session, "Launched", launched)
    monkeypatch.setattr(launch, "mkdtemp", partial(mkdtemp, dir="/nowhere/at/all"))
    project.asking(HELLO.format("hello") + "\n\n@pytest.mark.mitmcache\ndef test_two():\n    ask('two')\n")
    said = project.run(errors=2)
    assert said.count("\nmitmcache: no folder for the proxy: /nowhere/at/all") == 2
    assert len(tried) == 1


def test_a_proxy_that_dies_fails_the_tests_that_need_it_and_says_so(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def launched(options: Mapping[str, str]) -> Launched:
        made = Launched(options)
        (project.pytester.path / "pid").write_text(str(made.pid))
        return made

    monkeypatch.setattr(session, "Launched", launched)
    project.asking(
        """
        import os, pathlib

        @pytest.mark.mitmcache
        def test_one():
            ask("one")
            os.kill(int(pathlib.Path("pid").read_text()), 9)

        @pytest.mark.mitmcache
        def test_two():
            ask("two")
        """
    )
    said = project.run(failed=1, errors=1)
    assert said.count("the proxy has ended") >= 2
    assert (project.recordings, list(project.temporary.iterdir())) == ([], [])


def test_a_session_that_is_interrupted_leaves_nothing(project: Project) -> None:
    project.write(
        f"""
        import os, pytest

        @pytest.mark.mitmcache
        def test_hello():
            os.kill(os.getpid(), {int(signal.SIGINT)})
        """
    )
    assert "KeyboardInterrupt" in project.run(apart=True)
    assert (project.recordings, list(project.temporary.iterdir())) == ([], [])
