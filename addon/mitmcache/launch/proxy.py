"""A proxy for a lifetime: mitmdump with the cache, as a process of its own on 127.0.0.1."""

import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from mitmcache.launch.environment import unproxied
from mitmcache.launch.note import TETHERED
from mitmcache.launch.turn import turn

HOST = Path(__file__).with_name("__main__.py")
CHECKOUT = Path(__file__).parents[2] / "main.py"
SCRIPT = Path(__file__).parent / "script" / "mitmcache_addon.py"
CA = "mitmproxy-ca-cert.pem"
READY = re.compile(r"ready: proxy http://127\.0\.0\.1:(\d+)")
START, STOP = 60.0, 12.0
"""Seconds. A proxy that has not ended by then is killed; it gives itself less to write what it has."""
KEPT_LINES = 200


class ProxyError(Exception):
    """The proxy did not start; the text says why, with what it said last."""


@dataclass
class Proxy:
    """Runs from `start` to `stop`, or in a `with`; ends with this process, however that ends.

    `options` are mitmproxy's and ours. `scripts` are loaded after the cache; those of `before`, before it.
    `main` takes the place of the cache itself; it must say `ready: proxy http://127.0.0.1:<port>`. `confdir`
    gets the CA, and may be shared. `environ` is what the proxy may see: proxies and CAs in it are for its
    clients, and left out. `ended` is called, in a thread, if it ends by itself.
    """

    confdir: Path
    options: Mapping[str, str] = field(default_factory=dict)
    scripts: Sequence[Path] = ()
    before: Sequence[Path] = ()
    main: Path | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    deadline: float = START
    ended: Callable[[], None] = lambda: None
    port: int = 0
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    _process: subprocess.Popen[bytes] | None = None
    _reader: threading.Thread | None = None
    _news: threading.Condition = field(default_factory=threading.Condition)
    _heard_all: bool = False
    _stopping: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        return self.confdir / CA

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ended_within(self, seconds: float) -> bool:
        """Waits for its end, or sees that it has not come."""
        try:
            if self._process:
                self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def start(self) -> Self:
        """Returns once it is ready. Raises ProxyError, with nothing left running."""
        end = time.monotonic() + self.deadline
        try:
            self.confdir.mkdir(parents=True, exist_ok=True)
            # two that start at once would each make a CA
            with turn(self.confdir, end, needed=not self.ca_file.exists()):
                self._spawn()
                self._until_ready(end)
        except OSError as error:
            self.stop()
            raise ProxyError(f"{error.filename or self.confdir}: {error.strerror or error}") from None
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """SIGTERM, which lets it write what it has; SIGKILL where that is not enough. May be called again."""
        process = self._process
        if process is None:
            return
        self._stopping = True
        try:
            with suppress(ProcessLookupError):
                process.terminate()
            process.wait(STOP)
        except subprocess.TimeoutExpired:
            self._say("(killed: SIGTERM did not end it)")
        finally:
            if process.poll() is None:  # or we were interrupted in the wait
                process.kill()
                process.wait(STOP)
            if self._reader:
                self._reader.join(STOP)
            for stream in (process.stdin, process.stdout):
                if stream:
                    stream.close()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _spawn(self) -> None:
        self.port, self._heard_all, self._stopping = 0, False, False
        self._process = subprocess.Popen(
            self._command(),
            env={**unproxied(self.environ), TETHERED: "1", "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Ctrl-C at the terminal is not for it: it is ended in our own time
            start_new_session=True,
            umask=0o077,
        )
        assert self._process.stdout
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def _command(self) -> list[str]:
        own = self.main or (CHECKOUT if CHECKOUT.is_file() else SCRIPT)
        scripts = [part for path in (*self.before, own, *self.scripts) for part in ("-s", str(path))]
        options = {"flow_detail": "0", **self.options, "confdir": str(self.confdir)}
        sets = [part for name, value in options.items() for part in ("--set", f"{name}={value}")]
        # flags, since config.yaml wins over --set
        where = ["--mode", "regular", "--listen-host", "127.0.0.1"]
        port = ["--listen-port", self.options.get("listen_port", "0")]
        return [sys.executable, "-P", str(HOST), *scripts, *sets, *where, *port]

    def _until_ready(self, end: float) -> None:
        with self._news:
            while not self.port:
                if self._heard_all:
                    raise ProxyError(self._told("the proxy ended before it was ready"))
                if not self._news.wait(end - time.monotonic()) and time.monotonic() >= end:
                    raise ProxyError(self._told(f"the proxy was not ready within {self.deadline:.0f} s"))

    def _told(self, what: str) -> str:
        last = list(self.lines)[-5:]
        return "\n".join([what + (":" if last else ""), *(f"    {line}" for line in last)])

    def _read(self, stream: IO[bytes]) -> None:
        # a line at most so long: what is longer comes in pieces
        with suppress(ValueError, OSError):
            while raw := stream.readline(1 << 16):
                self._say(raw.decode(errors="replace").rstrip())
        with self._news:
            self._heard_all = True
            self._news.notify_all()
        if self.port and not self._stopping:
            # its pipe ends a moment before it does
            if process := self._process:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(STOP)
            self.ended()

    def _say(self, line: str) -> None:
        with self._news:
            self.lines.append(line)
            if not self.port and (match := READY.search(line)):
                self.port = int(match[1])
                self._news.notify_all()
