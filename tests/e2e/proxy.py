"""The real program under test: mitmdump or mitmweb with the addon."""

import json
import os
import re
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import ports
from e2e.process import Memory, Process, ProcessError

ADDON = Path(__file__).parents[2] / "addon" / "main.py"
REDIRECT = Path(__file__).with_name("redirect.py")
START_DEADLINE = 100.0
READY = re.compile(r"mitmcache ready")
LISTENING = re.compile(r"proxy listening at (?:\S*:)?(\d+)")
STATISTICS = "http://llm.cache/stats"
CRASHES = ("Traceback", "Addon error", "has crashed", "never awaited", "never retrieved")

type Tool = Literal["mitmdump", "mitmweb"]
type Stats = dict[str, Any]


class Upstream(Protocol):
    """Where the proxy dials, and whom it trusts there."""

    port: int
    tls_port: int

    @property
    def ca_file(self) -> Path: ...


@dataclass
class ProxyProcess:
    """Started with `with`, or `start()` and `stop()`; may be started again, with the same data.

    All dials of the proxy go to `upstream`, whose authority it trusts. `options` are mitmproxy's and ours.
    """

    upstream: Upstream
    folder: Path
    confdir: Path
    options: Mapping[str, str] = field(default_factory=dict)
    tool: Tool = "mitmdump"
    port: int = 0
    web_port: int = 0
    _process: Process | None = None
    _said: list[str] = field(default_factory=list)
    """By a process that is no more."""

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
    def lines(self) -> list[str]:
        """What the process that runs, or the last that ran, has said."""
        return self._process.lines if self._process else self._said

    @property
    def log(self) -> str:
        return "\n".join(self.lines)

    @property
    def crashes(self) -> list[str]:
        """Lines that tell of an exception nobody caught, ours or mitmproxy's."""
        return [line for line in self.lines if any(sign in line for sign in CRASHES)]

    @property
    def memory(self) -> Memory:
        return self._running.memory

    def start(self) -> Self:
        """Returns once the proxy listens and is ready."""
        process = self._spawn()
        ready = LISTENING.search(process.wait_line(LISTENING.search, START_DEADLINE))
        process.wait_line(READY.search, START_DEADLINE)
        assert ready
        self.port = int(ready[1])
        return self

    def run_to_exit(self) -> int:
        """For a start that must fail: the exit code."""
        process = self._spawn()
        try:
            return process.wait(START_DEADLINE)
        finally:
            self.stop()

    def stop(self) -> int:
        return self._ended(Process.stop)

    def kill9(self) -> int:
        return self._ended(Process.kill)

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

    def wait_stats(self, holds: Callable[[Stats], bool], deadline: float = 60.0) -> Stats:
        """Polls until it holds; the statistics are all that tells of work after a reply was sent."""
        end = time.monotonic() + deadline
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=deadline)) as connection:
            while not holds(found := self._stats(connection)):
                if time.monotonic() > end:
                    raise ProcessError(f"never so: {found}\n{self.tail()}")
                time.sleep(0.01)
        return found

    def wait_line(self, text: str) -> str:
        """Until the process that runs has said so: a thread reads it, and may be behind all else."""
        return self._running.wait_line(lambda line: text in line, START_DEADLINE)

    def tail(self, count: int = 60) -> str:
        return "\n".join(self.lines[-count:])

    @property
    def _running(self) -> Process:
        assert self._process, "the proxy is not running"
        return self._process

    def _ended(self, end: Callable[[Process], int]) -> int:
        if self._process is None:
            return 0
        process, self._process = self._process, None
        code = end(process)
        self._said = process.lines
        return code

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

    def _spawn(self) -> Process:
        assert self._process is None, "the proxy is running"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process = Process(self._command(), self.folder, self._environment())
        return self._process

    def _command(self) -> list[str]:
        settings = {
            "confdir": str(self.confdir),
            "listen_host": "127.0.0.1",
            "listen_port": "0",
            "flow_detail": "0",
            "ssl_verify_upstream_trusted_ca": str(self.upstream.ca_file),
            "llm_data_dir": str(self.data_dir),
            "llm_gateway_port": "0",
            **self.options,
        }
        if self.tool == "mitmweb":
            self.web_port = ports.free()  # it does not tell which port it got for port 0
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
