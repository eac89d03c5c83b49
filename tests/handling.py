"""A connection of mitmproxy's with a script in place of its layers, and nothing behind its writers."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mitmproxy import options
from mitmproxy.connection import Server
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.server import ConnectionHandler, ConnectionIO
from mitmproxy.test import tflow


@dataclass
class NodHook(commands.StartHook):
    """What is done at this hook."""

    act: str


@dataclass
class AsideHook(NodHook):
    """Nothing waits for it."""

    blocking = False


class Writer:
    def __init__(self) -> None:
        self.written = b""
        self.pieces = 0
        self.closing = False

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: bytes) -> None:
        self.written += data
        self.pieces += 1


class Scripted(ConnectionHandler):
    """Its layer gives the orders of one line of the script for each event, and tells what it was given."""

    def __init__(self, script: list[list[str]]) -> None:
        ConnectionHandler.__init__(self, Context(tflow.tclient_conn(), options.Options()))
        self.script = iter(script)
        self.heard: list[str] = []
        self.server = Server(address=("h.example", 443))
        self.writers = {"client": Writer(), "server": Writer()}
        self.transports[self.client] = ConnectionIO(writer=self.writers["client"])  # type: ignore[arg-type]
        self.transports[self.server] = ConnectionIO(writer=self.writers["server"])  # type: ignore[arg-type]
        self.layer = self  # type: ignore[assignment]

    def handle_event(self, event: events.Event) -> Iterator[commands.Command]:
        self.heard.append(type(event).__name__)
        for order in next(self.script, []):
            yield self.order(*order.split())

    def order(self, what: str, to: str = "client", data: str = "x") -> commands.Command:
        connection = self.client if to == "client" else self.server
        if what == "crash":
            raise ZeroDivisionError
        made: dict[str, Callable[[], commands.Command]] = {
            "send": lambda: commands.SendData(connection, data.encode()),
            "close": lambda: commands.CloseConnection(connection),
            "half": lambda: commands.CloseTcpConnection(connection, half_close=True),
            "gone": lambda: commands.CloseConnection(Server(address=("other.example", 1))),
            "open": lambda: commands.OpenConnection(Server(address=None)),
            "hook": lambda: NodHook(to),
            "aside": lambda: AsideHook(to),
            "wake": lambda: commands.RequestWakeup(0.0),
            "log": lambda: commands.Log(data),
            "unknown": commands.Command,
        }
        return made[what]()

    def close_connection(self, connection: Any, half_close: bool = False) -> None:
        self.heard.append(f"close {connection is self.client} {half_close}")
        if not half_close:
            self.writers["client" if connection is self.client else "server"].closing = True

    def log(self, message: str, *args: Any, **keywords: Any) -> None:
        self.heard.append(message)


class Handler(Scripted):
    """Its hooks do what their `act` says."""

    async def handle_hook(self, hook: commands.StartHook) -> None:
        (act,) = hook.args()
        written = b"".join(writer.written for writer in self.writers.values())
        self.heard.append(f"{hook.name} {act} after {written!r}")
        if act == "waits":
            await asyncio.sleep(0)
        elif act == "fails":
            raise ZeroDivisionError
        self.heard.append(f"{hook.name} {act} is done")
