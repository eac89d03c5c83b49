"""The real program under test: mitmdump or mitmweb, with the addon, as a process of its own."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import IO, Any, Literal, Self

from e2e.upstream import ScriptedUpstream

ROOT = Path(__file__).parents[2]
ADDON = ROOT / "addon" / "main.py"
REDIRECT = Path(__file__).with_name("redirect.py")
START_DEADLINE = 20.0
STOP_DEADLINE = 15.0
LISTENING = re.compile(r"proxy listening at (?:\S*:)?(\d+)")
READY = "mitmcache ready"
STATISTICS = "http://llm.cache/stats"

type Tool = Literal["mitmdump", "mitmweb"]
type Stats = dict[str, Any]


class ProxyError(AssertionError):
    """The proxy did not do what the bench needs; the text ends with its last lines."""


@dataclass
class ProxyProcess:
    """Started with `with`, or `start()` and `stop()`. `folder` holds confdir and data; it may be shared
    by processes that run after one another, which is how a restart keeps both."""

    upstream: ScriptedUpstream
    folder: Path
    confdir: Path
    options: Mapping[str, str] = field(default_factory=dict)
    tool: Tool = "mitmdump"
    port: int = 0
    web_port: int = 0
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=20_000))
    _process: subprocess.Popen[str] | None = None
    _readers: list[threading.Thread] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        return self.confdir / "mitmproxy-ca-cert.pem"

    @property
    def data_dir(self) -> Path:
        return Path(self.options.get("llm_data_dir") or self.folder / "data")

    @property
    def log(self) -> str:
        return "\n".join(list(self.lines))

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def resident_bytes(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        [kilobytes] = re.findall(r"VmRSS:\s+(\d+) kB", status)
        return int(kilobytes) * 1024

    def start(self, *, until: str = READY) -> Self:
        """Returns once the proxy listens and has said `until`."""
        self._spawn()
        deadline = time.monotonic() + START_DEADLINE
        self.wait_log(LISTENING.search, deadline=deadline)
        self.wait_log(lambda line: until in line, deadline=deadline)
        found = [int(match[1]) for line in list(self.lines) if (match := LISTENING.search(line))]
        self.port = found[-1]
        return self

    def run_to_exit(self) -> int:
        """For a start that must fail: the exit code."""
        self._spawn()
        assert self._process
        try:
            return self._process.wait(START_DEADLINE)
        except subprocess.TimeoutExpired:
            raise ProxyError(f"the proxy did not exit\n{self.log}") from None
        finally:
            self.stop()

    def stop(self) -> int:
        """SIGTERM, and SIGKILL if that is not enough; the exit code (negative for a signal)."""
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            self.lines.append("(bench) killed: SIGTERM did not end it")
            process.kill()
            process.wait(STOP_DEADLINE)
        return self._reap(process)

    def kill9(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait(STOP_DEADLINE)
        self._reap(self._process)

    def restart(self) -> Self:
        self.stop()
        return self.start()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stats(self) -> Stats:
        return self.wait_stats(lambda _: True)

    def wait_stats(self, holds: Callable[[Stats], bool], deadline: float = 10.0) -> Stats:
        """Polls until it holds; the statistics are all that tells of work after a reply was sent."""
        end = time.monotonic() + deadline
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            while not holds(found := self._stats(connection)):
                if time.monotonic() > end:
                    raise ProxyError(f"never so: {found}\n{self.tail()}")
                time.sleep(0.01)
        return found

    def _stats(self, connection: HTTPConnection) -> Stats:
        connection.request("GET", STATISTICS, headers=self._credentials())
        reply = connection.getresponse()
        body = reply.read()
        assert reply.status == 200, f"{reply.status} {body!r}\n{self.tail()}"
        return dict(json.loads(body))

    def _credentials(self) -> dict[str, str]:
        """Those that the option `proxyauth` asks for."""
        pair = self.options.get("proxyauth", "").replace("any", "bench:bench")
        basic = b64encode(pair.encode()).decode() if pair else ""
        return {"proxy-authorization": f"Basic {basic}"} if basic else {}

    def wait_log(self, holds: Callable[[str], object], *, deadline: float) -> str:
        """The first line for which it holds; `deadline` on the monotonic clock."""
        with self._news:
            while True:
                found = next((line for line in list(self.lines) if holds(line)), None)
                if found is not None:
                    return found
                if self._process is None or self._process.poll() is not None:
                    raise ProxyError(f"the proxy ended\n{self.tail()}")
                if time.monotonic() > deadline:
                    raise ProxyError(f"no such line\n{self.tail()}")
                self._news.wait(0.1)

    @property
    def crashes(self) -> list[str]:
        """Lines that tell of an exception nobody caught, ours or mitmproxy's."""
        signs = ("Traceback", "Addon error", "has crashed", "never awaited", "never retrieved")
        return [line for line in list(self.lines) if any(sign in line for sign in signs)]

    def tail(self, count: int = 60) -> str:
        return "\n".join(list(self.lines)[-count:])

    def _spawn(self) -> None:
        self.lines.clear()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            self._command(),
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._readers = []
        for stream in (self._process.stdout, self._process.stderr):
            assert stream
            reader = threading.Thread(target=self._read, args=(stream,), daemon=True)
            reader.start()
            self._readers.append(reader)

    def _command(self) -> list[str]:
        settings = {
            "confdir": str(self.confdir),
            "listen_host": "127.0.0.1",
            "listen_port": "0",
            "flow_detail": "0",
            "ssl_verify_upstream_trusted_ca": str(self.upstream.ca_file),
            "llm_data_dir": str(self.data_dir),
            **self.options,
        }
        if self.tool == "mitmweb":
            self.web_port = _free_port()
            settings |= {"web_port": str(self.web_port), "web_open_browser": "false"}
        scripts = ["-s", str(REDIRECT), "-s", str(ADDON)]
        pairs = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
        return [str(Path(sys.executable).parent / self.tool), *scripts, *pairs]

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        ports = {"UPSTREAM_PORT": str(self.upstream.port), "UPSTREAM_TLS_PORT": str(self.upstream.tls_port)}
        # a home of its own: nothing of the developer's may be read or written
        home = {"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder / "xdg")}
        return {**kept, **ports, **home, "PYTHONUNBUFFERED": "1"}

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()

    def _reap(self, process: subprocess.Popen[str]) -> int:
        for reader in self._readers:
            reader.join(STOP_DEADLINE)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()
        self._process = None
        return process.returncode


def _free_port() -> int:
    """mitmweb does not tell which port it got for port 0."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
