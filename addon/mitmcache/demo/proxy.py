"""The demo's proxy: mitmdump on a free port, whose dials all end at the scripted upstream."""

import asyncio
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from mitmcache.launch import proxy

REDIRECT = Path(__file__).with_name("redirect.py")


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

    def __post_init__(self) -> None:
        # a script's folder becomes importable, and this one's files are not for everybody
        self._redirect = self.confdir / REDIRECT.name
        options = {"ssl_verify_upstream_trusted_ca": str(self.trusted), **self.options}
        environ = {**os.environ, "UPSTREAM_PORT": str(self.upstream_port), **self.environment}
        before, main = [self._redirect], self.script
        self._launched = proxy.Proxy(self.confdir, options, before=before, main=main, environ=environ)
        self.lines = self._launched.lines

    @property
    def url(self) -> str:
        return self._launched.url

    @property
    def port(self) -> int:
        return self._launched.port

    @property
    def ca_file(self) -> Path:
        return self._launched.ca_file

    @property
    def pid(self) -> int:
        return self._launched.pid

    async def __aenter__(self) -> Self:
        self.confdir.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REDIRECT, self._redirect)
        starting = asyncio.create_task(asyncio.to_thread(self._launched.start))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            # a thread cannot be cancelled: it sees that what it waits for has ended
            await asyncio.to_thread(self._launched.stop)
            await asyncio.wait([starting])
            if not starting.cancelled():
                starting.exception()
            await asyncio.to_thread(self._launched.stop)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._launched.stop)
