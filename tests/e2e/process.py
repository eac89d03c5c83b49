"""A program run beside the tests: what it says is kept, and it never outlives them."""

import re
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

STOP_DEADLINE = 60.0
KEPT_LINES = 20_000


class ProcessError(AssertionError):
    """The program did not do what the bench needs; the text ends with its last lines."""


class Memory(NamedTuple):
    """Resident bytes."""

    now: int
    peak: int


class Process:
    """Its standard input is a pipe that nobody writes to."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._news = threading.Condition()
        self._popen = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._readers = [
            threading.Thread(target=self._read, args=(stream,), daemon=True)
            for stream in (self._popen.stdout, self._popen.stderr)
        ]
        for reader in self._readers:
            reader.start()

    @property
    def lines(self) -> list[str]:
        """What it said last, on both outputs."""
        with self._news:
            return list(self._lines)

    @property
    def memory(self) -> Memory:
        status = Path(f"/proc/{self._popen.pid}/status").read_text(encoding="ascii")
        found = dict(re.findall(r"(VmRSS|VmHWM):\s+(\d+) kB", status))
        return Memory(int(found["VmRSS"]) * 1024, int(found["VmHWM"]) * 1024)

    def wait_line(self, holds: Callable[[str], object], deadline: float) -> str:
        """The first line for which it holds, within `deadline` seconds."""
        end = time.monotonic() + deadline
        with self._news:
            while True:
                for line in self._lines:
                    if holds(line):
                        return line
                if self._popen.poll() is not None:
                    raise ProcessError("it ended:\n" + "\n".join(self._lines))
                if time.monotonic() > end:
                    raise ProcessError("no such line:\n" + "\n".join(self._lines))
                self._news.wait(0.1)

    def wait(self, deadline: float) -> int:
        """The exit code. Does not end it."""
        try:
            return self._popen.wait(deadline)
        except subprocess.TimeoutExpired:
            raise ProcessError("it did not end:\n" + "\n".join(self.lines)) from None

    def stop(self) -> int:
        """SIGTERM, and SIGKILL if that is not enough; the exit code (negative for a signal)."""
        self._popen.terminate()
        try:
            self._popen.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            return self.kill()
        return self._reap()

    def kill(self) -> int:
        self._popen.kill()
        self._popen.wait(STOP_DEADLINE)
        return self._reap()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            with self._news:
                self._lines.append(line.rstrip("\n"))
                self._news.notify_all()

    def _reap(self) -> int:
        for reader in self._readers:
            reader.join(STOP_DEADLINE)
        for stream in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            if stream:
                stream.close()
        return self._popen.returncode
