"""mitmproxy's core and what takes its place do the same for each event of a connection."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.test import tflow
from mitmproxy.utils import asyncio_utils

from handling import Handler, NodHook
from mitmcache import shortcuts


@pytest.fixture(autouse=True)
def not_installed() -> Iterator[None]:
    shortcuts.uninstall()
    yield
    shortcuts.uninstall()


async def played(script: list[list[str]]) -> tuple[Any, ...]:
    """What became of it, once there is nothing more to do."""
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    loop.set_exception_handler(lambda *_: None)  # a hook that fails is a task that does
    handler = Handler(script)
    await handler.server_event(events.Start())
    await handler.server_event(events.Wakeup(commands.RequestWakeup(0.0)))
    for _ in range(40):
        await asyncio.sleep(0)
    written = {name: writer.written for name, writer in handler.writers.items()}
    return handler.heard, written, len(handler.wakeup_timer), len(handler.transports)


def both(script: list[list[str]]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    theirs = asyncio.run(played(script))
    shortcuts.install()
    try:
        return theirs, asyncio.run(played(script))
    finally:
        shortcuts.uninstall()


SCRIPTS = {
    "what is sent arrives in order": [["send client a", "send client b", "send server c", "send client d"]],
    "a hook comes between what is sent before and after": [["send client a", "hook done", "send client b"]],
    "what waits for a hook goes on": [["hook done"], [], ["hook waits"], ["send client z"]],
    "nothing goes on after a hook that nobody waits for": [["aside done", "aside waits"], ["send client a"]],
    "a hook that fails ends nothing else": [["hook fails", "send client a"]],
    "a crash is logged, and what was sent before it is sent": [["send client a", "crash"], ["send client b"]],
    "an order that nobody knows is a crash": [["unknown"], ["send client a"]],
    "nothing is sent after the end": [["send client a", "close client", "send client b"]],
    "half an end": [["half server", "send server a"]],
    "an end of what is not there": [["gone"]],
    "a server that cannot be reached": [["open"], [], ["log client said"]],
    "a wake-up": [["wake"], [], ["log client woken"]],
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_is_the_same_as_mitmproxys(name: str) -> None:
    theirs, ours = both(SCRIPTS[name])
    assert ours == theirs


ORDERS = st.sampled_from(
    [
        "send client a",
        "send client b",
        "send server c",
        "hook done",
        "aside done",
        "aside waits",
        "wake",
        "log client said",
        "close server",
        "half client",
        "gone",
        "crash",
    ]
)


@settings(max_examples=40)
@given(st.lists(st.lists(ORDERS, max_size=4), max_size=6))
def test_whatever_is_ordered_the_same_is_sent(script: list[list[str]]) -> None:
    theirs, ours = both(script)
    # who comes first of those that could go on may differ
    assert ours[1:] == theirs[1:]
    assert sorted(ours[0]) == sorted(theirs[0])


async def test_what_is_sent_in_a_row_is_one_write() -> None:
    shortcuts.install()
    handler = Handler([["send client a", "send client b", "log client said", "send client c"]])
    await handler.server_event(events.Start())
    assert (handler.writers["client"].written, handler.writers["client"].pieces) == (b"abc", 2)


@pytest.mark.parametrize("busy", [False, True])
async def test_it_goes_on_at_once_where_nobody_else_is_ready(busy: bool) -> None:
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    shortcuts.install()
    handler = Handler([["hook done"], ["send client a"]])
    if busy:
        asyncio.get_running_loop().call_soon(handler.heard.append, "another")
    await handler.server_event(events.Start())
    first = ["Start", "nod done after b''", "nod done is done"]
    assert handler.heard == first + ["HookCompleted"] * (not busy)
    for _ in range(3):
        await asyncio.sleep(0)
    assert handler.heard == first + ["another"] * busy + ["HookCompleted"]
    assert handler.writers["client"].written == b"a"


@pytest.mark.parametrize("fails", [False, True])
async def test_a_hook_keeps_the_connection_from_timing_out(fails: bool) -> None:
    shortcuts.install()
    handler: Any = object.__new__(ProxyConnectionHandler)
    handler.timeout_watchdog = watchdog = Handler([]).timeout_watchdog
    seen: list[tuple[bool, int]] = []

    class Addons:
        async def handle_lifecycle(self, hook: commands.StartHook) -> None:
            seen.append((watchdog.can_timeout.is_set(), watchdog.blocker))
            if len(seen) == 1:
                watchdog.last_activity = 0
                await handler.handle_hook(NodHook("again"))
            elif fails:
                raise ZeroDivisionError

    handler.master = type("Master", (), {"addons": Addons()})
    try:
        await handler.handle_hook(NodHook("once"))
    except ZeroDivisionError:
        assert fails
    assert seen == [(False, 1), (False, 2)]
    assert watchdog.can_timeout.is_set() and not watchdog.blocker and watchdog.last_activity


async def test_a_flow_that_is_intercepted_waits_for_its_user() -> None:
    shortcuts.install()
    handler: Any = object.__new__(ProxyConnectionHandler)
    handler.timeout_watchdog = Handler([]).timeout_watchdog
    flow = tflow.tflow()

    class Addons:
        async def handle_lifecycle(self, hook: commands.StartHook) -> None:
            flow.intercept()

    handler.master = type("Master", (), {"addons": Addons()})
    waiting = asyncio.create_task(handler.handle_hook(NodHook(flow)))  # type: ignore[arg-type]
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    flow.resume()
    await waiting


async def test_a_task_that_goes_on_has_a_name_and_is_kept() -> None:
    shortcuts.install()
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    event = asyncio.Event()

    async def short() -> int:
        return 1

    ended = asyncio_utils.create_task(short(), name="short", keep_ref=True)
    going = asyncio_utils.create_task(event.wait(), name="long", keep_ref=True, client=("h", 1))
    other = asyncio_utils.create_task(event.wait(), name="other", keep_ref=False)
    assert ended.result() == 1 and ended not in asyncio_utils._KEEP_ALIVE
    assert going in asyncio_utils._KEEP_ALIVE and other not in asyncio_utils._KEEP_ALIVE
    assert asyncio_utils.task_repr(going).startswith("h:1: long (age: ")
    event.set()
    await asyncio.gather(going, other)
    await asyncio.sleep(0)
    assert going not in asyncio_utils._KEEP_ALIVE
