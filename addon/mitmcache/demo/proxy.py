"""mitmdump as a process of its own, on a free port of 127.0.0.1."""

import asyncio
import os
import re
import shutil
import sys
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

PACKAGES = Path(__file__).parents[2]
ADDON = "from mitmcache.addons import default_addons\n\naddons = default_addons()\n"
REDIRECT = Path(__file__).with_name("redirect.py")
READY = re.compile(r"ready: proxy http://127\.0\.0\.1:(\d+)")
START = 30.0
STOP = 10.0
"""Seconds; a proxy that has not ended by then is killed."""


class ProxyError(Exception):
    """The proxy did not start."""


@dataclass
class Proxy:
    """Runs inside `async with`. Its dials all end at `upstream_port`, whose certificate is `trusted`.

    `script`, instead of ours, must say `ready: proxy http://127.0.0.1:<port>` when it is. `confdir` gets
    mitmproxy's CA, and may be shared. A proxy that ran before with the same `options` is taken up again.
    """

    confdir: Path
    upstream_port: int
    trusted: Path
    script: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=200))
    _process: asyncio.subprocess.Process | None = None
    _reader: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        return self.confdir / "mitmproxy-ca-cert.pem"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._command(),
            env=self._environment(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=1 << 20,
            # Ctrl-C at the terminal is for us: we end the proxy in our own time
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(START):
                await self._until_ready(self._process)
        except BaseException as error:
            await self._stop()
            if isinstance(error, TimeoutError):
                raise ProxyError(f"the proxy was not ready within {START:.0f} s") from None
            raise
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    def _command(self) -> list[str]:
        # a script's folder becomes importable, and this one's files are not for everybody
        redirect = self.confdir / REDIRECT.name
        self.confdir.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REDIRECT, redirect)
        script = self.script
        if script is None:  # written, since an installed package has no script beside it
            script = self.confdir / "mitmcache_addon.py"
            script.write_text(ADDON, encoding="utf-8")
        options = {
            "confdir": str(self.confdir),
            "listen_host": "127.0.0.1",
            "listen_port": "0",
            "ssl_verify_upstream_trusted_ca": str(self.trusted),
            **self.options,
        }
        sets = [part for name, value in options.items() for part in ("--set", f"{name}={value}")]
        mitmdump = "import sys; from mitmproxy.tools.main import mitmdump; sys.exit(mitmdump())"
        return [sys.executable, "-c", mitmdump, "-s", str(redirect), "-s", str(script), *sets]

    def _environment(self) -> dict[str, str]:
        return {
            **without_proxies(os.environ),
            "UPSTREAM_PORT": str(self.upstream_port),
            "PYTHONPATH": os.pathsep.join([str(PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "PYTHONUNBUFFERED": "1",
            **self.environment,
        }

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        async for raw in process.stdout:
            self._note(raw)
            if match := READY.search(self.lines[-1]):
                self.port = int(match[1])
                return
        raise ProxyError("the proxy ended before it was ready")

    async def _read(self) -> None:
        assert self._process and self._process.stdout
        with suppress(ValueError):  # a line over the limit; what follows it is of no use here
            async for raw in self._process.stdout:
                self._note(raw)

    def _note(self, raw: bytes) -> None:
        self.lines.append(raw.decode(errors="replace").rstrip())

    async def _stop(self) -> None:
        process = self._process
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP)
        except TimeoutError:
            self.lines.append("(killed: SIGTERM did not end it)")
            process.kill()
            await process.wait()
        finally:
            if process.returncode is None:  # we were interrupted in the wait
                process.kill()
        if self._reader:
            await self._reader
        self._process = self._reader = None


def without_proxies(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.lower().endswith("_proxy")}
