"""Listens on a loopback port from the first need on, in the event loop of the proxy: what mitmproxy dials
for an answer that no hook can give."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import uvicorn
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from mitmcache.relay.origin import NOBODY, SECRET, Origin

STARTING = 5.0
"""Seconds."""
MOST_HEAD = 4096
IDLE = 4000
"""Seconds that an idle connection is kept: mitmproxy is to close it first, since a request that meets the
server's closing would be a 502."""


class RelayError(Exception):
    """The relay does not listen."""


class Loopback:
    """Nothing happens before the first `port`. The app answers /bodies/nobody as Origin does, by which it is
    known that what is dialled here arrives there."""

    def __init__(self, app: ASGIApp, secret: str) -> None:
        self._app = app
        self._secret = secret
        self._port = 0
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._reached = False

    async def port(self) -> int:
        """On 127.0.0.1. Raises RelayError."""
        async with self._lock:
            if self._task is None:
                try:
                    await self._start()
                except (OSError, TimeoutError) as error:
                    raise RelayError(f"the relay cannot listen: {error}") from error
                self._reached = await self._reaches_itself()
            if not self._reached:
                raise RelayError("what is dialled in this process does not reach 127.0.0.1")
            if self._task is None or self._task.done():
                raise RelayError("the relay has ended")
            return self._port

    async def close(self, deadline: float) -> None:
        """Whatever is being sent is cut off."""
        if self._server and self._task:
            self._server.should_exit = self._server.force_exit = True
            self._server.cut(lambda scope: True)
            await asyncio.wait([self._task], timeout=deadline)
            self._task.cancel()

    def cut(self, chosen: Callable[[Scope | None], bool]) -> None:
        """Breaks the connections whose request is one of those; None for one that has none yet."""
        if self._server:
            self._server.cut(chosen)

    async def _reaches_itself(self) -> bool:
        """Dials as mitmproxy does: a script may have put something else in the place of that."""
        try:
            async with asyncio.timeout(STARTING):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                head = f"GET /bodies/{NOBODY} HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n"
                writer.write(f"{head}{SECRET}: {self._secret}\r\n\r\n".encode())
                reply = await reader.read(MOST_HEAD)
                writer.close()
        except (OSError, TimeoutError):
            return False
        return f"{SECRET}: {self._secret}".encode() in reply

    async def _start(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self._port = listener.getsockname()[1]
        self._server = _Server(
            uvicorn.Config(
                self._app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                timeout_keep_alive=IDLE,
            )
        )
        self._task = asyncio.create_task(self._server.serve([listener]))
        await asyncio.wait_for(self._server.listening.wait(), STARTING)


class Relay(Loopback):
    """Serves the bodies of its origin."""

    def __init__(self) -> None:
        self.origin = Origin(lambda scope: self.cut(lambda other: other is scope))
        super().__init__(self.origin.app, self.origin.secret)

    async def close(self, deadline: float) -> None:
        await super().close(deadline)
        self.origin.close()


class _Server(uvicorn.Server):
    """A guest in somebody else's process: signals are mitmproxy's."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    def cut(self, chosen: Callable[[Scope | None], bool]) -> None:
        """Breaks the connections whose request is one of those; None for one that has none yet."""
        for protocol in list(self.server_state.connections):
            connection = cast(H11Protocol, protocol)
            if chosen(cast(Scope | None, connection.scope)):
                connection.transport.abort()
