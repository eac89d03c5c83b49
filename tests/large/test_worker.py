import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from exchanges.openai import CHAT_STREAM
from large.test_work import EVENTS, JSON, KEY, job
from mitmcache.cache import record
from mitmcache.large import worker as working
from mitmcache.large.worker import Failed, Worker
from mitmcache.reasons import Reason


def test_a_job_is_done_in_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # what lies in the folder that the proxy was started in is not imported
    (tmp_path / "orjson.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    made = job(tmp_path, CHAT_STREAM.answer, EVENTS)
    size = Worker().run(made)
    blob = Path(made.target).read_bytes()
    assert size == len(blob) and record.decode(blob, KEY).body == CHAT_STREAM.answer


def test_a_refusal_comes_back_as_its_reason(tmp_path: Path) -> None:
    assert Worker().run(job(tmp_path, b"{", JSON)) is Reason.NOT_JSON


def test_a_job_that_cannot_be_done_fails(tmp_path: Path) -> None:
    with pytest.raises(Failed):
        Worker().run(job(tmp_path, b"{}", JSON, dialect="no.such"))


def test_a_process_that_cannot_be_started_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    with pytest.raises(Failed):
        Worker().run(job(tmp_path, b"{}", JSON))


def hanging(folder: Path) -> Path:
    """A Python that says its process id and hangs."""
    program = folder / "hangs"
    program.write_text(f"#!/bin/sh\necho $$ > {folder / 'pid'}\nexec sleep 600\n")
    program.chmod(0o700)
    os.mkfifo(folder / "pid")
    return program


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_process_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little of it there was by then."""
    monkeypatch.setattr(sys, "executable", str(hanging(tmp_path)))
    started: list[int] = []
    start = Worker._start

    def note(self: Worker) -> "subprocess.Popen[bytes]":
        process = start(self)
        started.append(process.pid)
        return process

    monkeypatch.setattr(Worker, "_start", note)
    heard = os.open(tmp_path / "pid", os.O_RDWR)  # it need not wait for a reader
    with pytest.raises(Failed):
        Worker(deadline=0.5).run(job(tmp_path, b"{}", JSON))
    os.close(heard)
    assert [gone(pid) for pid in started] == [True]


def test_killing_ends_what_is_done_and_what_would_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(hanging(tmp_path)))
    worker = Worker()

    def kill_when_it_runs() -> None:
        (tmp_path / "pid").read_text()
        worker.kill()

    killer = threading.Thread(target=kill_when_it_runs)
    killer.start()
    for _ in range(2):
        with pytest.raises(Failed):
            worker.run(job(tmp_path, b"{}", JSON))
    killer.join()


def test_the_process_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """Nobody tells it its job, and then its standard input ends."""
    os.mkfifo(tmp_path / "never")
    made = job(tmp_path, b"", JSON, source=str(tmp_path / "never"))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "mitmcache.large"], stdin=subprocess.PIPE, env=working._environment()
    )
    assert process.stdin
    process.stdin.write(made.as_json().encode() + b"\n")
    process.stdin.close()
    assert process.wait(100) not in (0, -signal.SIGKILL)
