"""What mitmproxy's proxy core does for each event of a connection, in fewer steps.

In mitmproxy, what waits for a hook goes on when the loop comes round: it is an event too, and the lock is
held while events are handled. Here it goes on in the same go, if the hook is done by then and nobody else
wants the loop. With many at once it waits as ever: to do one step for all of them, then the next, is kinder
to the processor's caches. What is written to one connection in a row is one write.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any

from mitmproxy.connection import Connection
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.server import ConnectionHandler, ConnectionIO
from mitmproxy.utils import asyncio_utils

from mitmcache import hooking
from mitmcache.internals import Function, Shortcut


def quick_server_event(original: Function) -> Function:
    """Handles an event, and what its hooks cause at once."""

    async def server_event(self: ConnectionHandler, event: events.Event) -> None:
        async with self._server_event_lock:
            # no `await` from here on: whoever finds `caused` there has been called from within
            caused = [event]
            setattr(self, hooking.CAUSED, caused)
            try:
                for each in caused:  # which grows
                    self.timeout_watchdog.register_activity()
                    _handle(self, each)
            finally:
                setattr(self, hooking.CAUSED, None)

    return server_event


def quick_create_task(original: Function) -> Function:
    """A task that has ended before anybody could look at it needs no name, and nobody to keep it."""

    def create_task(
        coro: Coroutine[Any, Any, Any], *, name: str, keep_ref: bool, client: Any = None
    ) -> asyncio.Task[Any]:
        task = asyncio.create_task(coro)
        if not task.done():
            # as `set_task_debug_info`, which first looks for a test in the environment
            setattr(task, "created", time.time())  # noqa: B010 - a Task of asyncio's own says that it has none
            task.set_name(name)
            if client:
                setattr(task, "client", client)  # noqa: B010
            if keep_ref:
                asyncio_utils._KEEP_ALIVE.add(task)
                task.add_done_callback(asyncio_utils._KEEP_ALIVE.discard)
        return task

    return create_task


def _handle(handler: ConnectionHandler, event: events.Event) -> None:
    try:
        to: Connection | None = None
        data: list[bytes] = []
        try:
            for order in handler.layer.handle_event(event):
                if type(order) is commands.SendData:
                    if order.connection is not to:
                        _write(handler, to, data)
                        to, data = order.connection, []
                    data.append(order.data)
                    continue
                if data:
                    _write(handler, to, data)
                    to, data = None, []
                if isinstance(order, commands.StartHook):
                    if rest := hooking.begun(handler, order):
                        _task(handler, rest, f"handle_hook({order.name})", keep_ref=True)
                else:
                    _obey(handler, order)
        finally:
            _write(handler, to, data)
    except Exception:
        handler.log("mitmproxy has crashed!", logging.ERROR, exc_info=True)


def _write(handler: ConnectionHandler, connection: Connection | None, data: list[bytes]) -> None:
    if connection is None:
        return
    if transport := handler.transports.get(connection):  # else it has been closed already
        writer = transport.writer
        assert writer
        if not writer.is_closing():
            writer.write(data[0] if len(data) == 1 else b"".join(data))


def _obey(handler: ConnectionHandler, order: commands.Command) -> None:
    match order:
        case commands.OpenConnection():
            assert order.connection not in handler.transports
            name = f"server connection handler {order.connection.address}"
            task = _task(handler, handler.open_connection(order), name)
            handler.transports[order.connection] = ConnectionIO(handler=task)
        case commands.RequestWakeup():
            task = _task(handler, handler.wakeup(order), f"wakeup timer ({order.delay:.1f}s)")
            handler.wakeup_timer.add(task)
        case commands.ConnectionCommand() if order.connection not in handler.transports:
            pass  # it has been closed already
        case commands.SendData():
            _write(handler, order.connection, [order.data])
        case commands.CloseConnection():
            half = isinstance(order, commands.CloseTcpConnection) and order.half_close
            handler.close_connection(order.connection, half)
        case commands.Log():
            handler.log(order.message, order.level)
        case _:
            raise RuntimeError(f"Unexpected command: {order}")


def _task(
    handler: ConnectionHandler, work: Coroutine[Any, Any, None], name: str, *, keep_ref: bool = False
) -> asyncio.Task[None]:
    return asyncio_utils.create_task(work, name=name, keep_ref=keep_ref, client=handler.client.peername)


SHORTCUTS = (
    # whole modules are looked at faster than a class in them
    Shortcut(
        ConnectionHandler,
        "server_event",
        quick_server_event,
        {
            "proxy.commands": "aa32ee34a747871d",
            "proxy.events": "fda47e3a66245adb",
            "proxy.server": "8e7a49721801ffc2",
            "proxy.server.ConnectionHandler.server_event": "a2b42657ebe8bf6d",
        },
    ),
    *hooking.SHORTCUTS,
    Shortcut(
        asyncio_utils,
        "create_task",
        quick_create_task,
        {
            "utils.asyncio_utils": "601501e1bf424c19",
            "utils.asyncio_utils.create_task": "1e4ddcc5df8a95ab",
        },
    ),
)
