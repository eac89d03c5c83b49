"""Listens on a loopback port from the first need on, in the event loop of the proxy."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import uvicorn
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from mitmcache.relay.origin import NOBODY, SECRET, Origin

STARTING = 5.0
"""Seconds."""
MOST_HEAD = 4096


class RelayError(Exception):
    """The relay does not listen."""


class Relay:
    """Nothing happens before the first `port`."""

    def __init__(self) -> None:
        self.origin = Origin(self._cut)
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
        self.origin.close()

    async def _reaches_itself(self) -> bool:
        """Dials as mitmproxy does: a script may have put something else in the place of that."""
        try:
            async with asyncio.timeout(STARTING):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                head = f"GET /bodies/{NOBODY} HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n"
                writer.write(f"{head}{SECRET}: {self.origin.secret}\r\n\r\n".encode())
                reply = await reader.read(MOST_HEAD)
                writer.close()
        except (OSError, TimeoutError):
            return False
        return f"{SECRET}: {self.origin.secret}".encode() in reply

    def _cut(self, scope: Scope) -> None:
        if self._server:
            self._server.cut(lambda other: other is scope)

    async def _start(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self._port = listener.getsockname()[1]
        self._server = _Server(
            uvicorn.Config(
                self.origin.app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
            )
        )
        self._task = asyncio.create_task(self._server.serve([listener]))
        await asyncio.wait_for(self._server.listening.wait(), STARTING)


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
