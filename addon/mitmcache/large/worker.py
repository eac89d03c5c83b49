"""Runs one job at a time in a process of its own, so that what it takes is never the proxy's memory."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import mitmcache
from mitmcache.large.work import Job
from mitmcache.reasons import Reason

DEADLINE = 300.0
"""Seconds for one job."""


class Failed(Exception):
    """The process did not do its job. The text has nothing of the answer."""


class Worker:
    """`run` blocks: for a thread. `kill` is for any other, and for good."""

    def __init__(self, deadline: float = DEADLINE) -> None:
        self._deadline = deadline
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False

    def run(self, job: Job) -> int | Reason:
        """As `work` does. Raises Failed; `target` then holds rubbish, if anything."""
        try:
            with self._start() as process:
                try:
                    told = self._ask(process, job)
                finally:
                    process.kill()
                    with self._lock:
                        self._process = None
        except OSError as error:
            raise Failed(f"cannot be told its job: {error}") from error
        try:
            fields = json.loads(told)
            return Reason(fields["reason"]) if "reason" in fields else int(fields["size"])
        except (ValueError, KeyError, TypeError) as error:
            raise Failed(f"ended with {process.returncode}") from error

    def kill(self) -> None:
        with self._lock:
            self._killed = True
            if self._process:
                self._process.kill()

    def _ask(self, process: subprocess.Popen[bytes], job: Job) -> bytes:
        """Its standard input stays open: its end would be the child's."""
        assert process.stdin and process.stdout
        timer = threading.Timer(self._deadline, process.kill)
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(job.as_json().encode() + b"\n")
            process.stdin.flush()
            return process.stdout.read()
        finally:
            timer.cancel()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._killed:
                raise Failed("the proxy is ending")
            try:
                self._process = subprocess.Popen(
                    # -P: the folder that the proxy was started in has no say in what is imported
                    [sys.executable, "-P", "-m", "mitmcache.large"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=_environment(),
                )
            except OSError as error:
                raise Failed(f"cannot be started: {error}") from error
            return self._process


def _environment() -> dict[str, str]:
    """The package need not be installed: the proxy may have loaded it from a clone."""
    source = str(Path(mitmcache.__file__).parents[1])
    paths = [source, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
