"""What mitmproxy's proxy core does to call a hook, in fewer steps.

mitmproxy runs each hook in a task. Here there is one from the first handler on that has to be waited for:
most often none. A handler before it, which is no coroutine, runs in the task of its connection.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from mitmproxy import flow
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.proxy.server import ConnectionHandler

from mitmcache.dispatch import dispatch_of
from mitmcache.internals import Function, Shortcut

CAUSED = "_mitmcache_caused"
"""Of a handler, while it handles events: these, and those that they have caused."""

type Coming = Coroutine[Any, Any, None]


def quick_hook_task(original: Function) -> Function:
    """Calls a hook, and lets what waits for it go on."""
    return _hook_task


async def _hook_task(self: ConnectionHandler, hook: commands.StartHook) -> None:
    await self.handle_hook(hook)
    if going_on := _completed(self, hook):
        await going_on


def quick_handle_hook(original: Function) -> Function:
    """The same without a context manager made from a generator."""
    return _handle_hook


async def _handle_hook(self: ProxyConnectionHandler, hook: commands.StartHook) -> None:
    (data,) = hook.args()
    await _guarded(self, data, self.master.addons.handle_lifecycle(hook))


def begun(handler: ConnectionHandler, hook: commands.StartHook) -> Coming | None:
    """Calls a hook's handlers, up to the first that has to be waited for. What is left to do then."""
    kind = type(handler)
    if kind.hook_task is not _hook_task or kind.handle_hook is not _handle_hook:
        return handler.hook_task(hook)
    assert isinstance(handler, ProxyConnectionHandler)
    dispatch = dispatch_of(handler.master.addons)
    if dispatch is None:
        return handler.hook_task(hook)
    try:
        (data,) = hook.args()
        rest = dispatch.begin_lifecycle(hook)
    except Exception as error:
        return _failing(error)
    if rest or (isinstance(data, flow.Flow) and data.intercepted):
        return _rest(handler, hook, data, rest)
    watchdog = handler.timeout_watchdog
    if watchdog.blocker == 0:
        watchdog.register_activity()
    return _completed(handler, hook)


async def _rest(
    handler: ConnectionHandler, hook: commands.StartHook, data: object, calling: Coming | None
) -> None:
    await _guarded(handler, data, calling)
    if going_on := _completed(handler, hook):
        await going_on


async def _guarded(handler: ConnectionHandler, data: object, calling: Coming | None) -> None:
    """The connection does not time out meanwhile, nor while its user looks at the flow."""
    watchdog = handler.timeout_watchdog
    watchdog.can_timeout.clear()
    watchdog.blocker += 1
    try:
        if calling:
            await calling
        if isinstance(data, flow.Flow):
            await data.wait_for_resume()
    finally:
        watchdog.blocker -= 1
        if watchdog.blocker == 0:
            watchdog.register_activity()
            watchdog.can_timeout.set()


async def _failing(error: Exception) -> None:
    """In a task, which then has failed, and nothing else."""
    raise error


def _completed(handler: ConnectionHandler, hook: commands.StartHook) -> Coming | None:
    """Lets what waits for the hook go on."""
    if not hook.blocking:
        return None
    completed = events.HookCompleted(hook)
    caused = getattr(handler, CAUSED, None)
    if caused is None or getattr(asyncio.get_running_loop(), "_ready", None):
        return handler.server_event(completed)
    caused.append(completed)
    return None


SHORTCUTS = (
    Shortcut(
        ConnectionHandler,
        "hook_task",
        quick_hook_task,
        {"proxy.server.ConnectionHandler.hook_task": "9ac7970160526268"},
    ),
    Shortcut(
        ProxyConnectionHandler,
        "handle_hook",
        quick_handle_hook,
        {
            "flow.Flow.wait_for_resume": "a333ab3b51300b44",
            "proxy.mode_servers": "1b980ec81b97843f",
            "proxy.mode_servers.ProxyConnectionHandler.handle_hook": "9f8b52fd798203c9",
        },
    ),
)
