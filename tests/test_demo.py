"""`python -m mitmcache.demo`, as a newcomer runs it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mitmcache.demo.play import DemoError, check
from mitmcache.demo.report import Run

ADDON = Path(__file__).parents[1] / "addon"
DEADLINE = 100.0
HANGS = """
import pathlib, sys, time
if sys.orig_argv[1:] == ["-m", "mitmcache.demo.ask"]:
    first = pathlib.Path(__file__).with_name("first")
    if first.exists():
        time.sleep(600)
    first.touch()
"""
"""The program of the demo, from its second run on: so it does not end before it is interrupted."""


class Demo:
    """Its temporary files go to a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shadow = folder.with_name("shadow")
        self.shadow.mkdir()

    def start(self, *python: str) -> subprocess.Popen[str]:
        paths = os.pathsep.join([str(self.shadow), str(ADDON)])
        return subprocess.Popen(
            [sys.executable, *(python or ("-m", "mitmcache.demo"))],
            env={**os.environ, "PYTHONPATH": paths, "TMPDIR": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *python: str) -> tuple[int, str, str]:
        with self.start(*python) as process:
            try:
                out, err = process.communicate(timeout=DEADLINE)
            finally:
                process.kill()
        return process.returncode, out, err

    def leftovers(self) -> list[str]:
        """Files, and the command lines of processes that still know the folder (Linux)."""
        processes = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = file.read_bytes().split(b"\0")
            except OSError:
                continue
            if any(str(self.folder).encode() in word for word in words):
                processes.append(str(words))
        return [*map(str, self.folder.iterdir()), *processes]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    folder = tmp_path / "tmp"
    folder.mkdir()
    yield Demo(folder)


def test_the_second_and_third_run_are_answered_by_the_cache_with_the_same_text(demo: Demo) -> None:
    code, out, err = demo.run()
    assert (code, err) == (0, "")
    rows = re.findall(r"^  \d .+?  +(MISS|HIT) +(\S.*?)  +\d+ ms +\d+ ms", out, re.MULTILINE)
    assert rows == [("MISS", "the upstream"), ("HIT", "the cache, memory"), ("HIT", "the cache, disk")]
    assert "calls that reached the upstream: 1\n" in out
    assert "text of the 3 answers: identical" in out
    assert '"This is answer number 1 ' in out
    assert "\x1b" not in out
    assert len(out.splitlines()) < 30
    assert demo.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_process_and_no_file(demo: Demo, number: signal.Signals) -> None:
    (demo.shadow / "sitecustomize.py").write_text(HANGS, encoding="utf-8")
    with demo.start() as process:
        assert process.stdout
        try:
            assert any("MISS" in line for line in process.stdout), "the proxy never ran"
            assert demo.leftovers() != []
            process.send_signal(number)
            assert process.wait(DEADLINE) == 128 + number
        finally:
            process.kill()
    assert demo.leftovers() == []


def test_a_failure_is_told_with_the_proxys_last_lines(demo: Demo) -> None:
    (demo.shadow / "openai.py").write_text("raise ImportError('a broken client')\n", encoding="utf-8")
    code, _, err = demo.run()
    assert code == 1
    assert "The demo failed: the program failed: ImportError: a broken client" in err
    assert "The proxy's last lines:" in err
    assert "mitmcache ready" in err
    assert demo.leftovers() == []


def test_without_the_openai_client_it_says_how_to_get_it(demo: Demo) -> None:
    without = "import runpy, sys; sys.modules['openai'] = None; "
    code, out, err = demo.run("-c", without + "runpy.run_module('mitmcache.demo', run_name='__main__')")
    assert (code, out) == (1, "")
    assert "openai is not installed" in err
    assert "./run.sh demo" in err


def run(x_cache: str, id: str = "1", text: str = "a") -> Run:
    return Run(x_cache, first=0.1, total=0.2, id=id, text=text)


@pytest.mark.parametrize(
    ("runs", "calls", "message"),
    [
        ([run("MISS"), run("MISS"), run("HIT")], 1, "it was MISS, MISS, HIT"),
        ([run(""), run(""), run("")], 3, "it was nothing, nothing, nothing"),
        ([run("MISS"), run("HIT"), run("HIT", text="b")], 1, "same answer"),
        ([run("MISS"), run("HIT", id="2"), run("HIT")], 1, "same answer"),
        ([run("MISS"), run("HIT"), run("HIT")], 2, "called 2 times"),
    ],
)
def test_what_is_not_as_promised_is_a_failure(runs: list[Run], calls: int, message: str) -> None:
    with pytest.raises(DemoError, match=message):
        check(runs, calls)
