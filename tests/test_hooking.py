"""What comes of a hook is the same whether it was called in a task or at once."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from mitmproxy import exceptions, flow
from mitmproxy.proxy import events
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.test import tflow

from handling import NodHook, Scripted
from managing import Master
from mitmcache import shortcuts
from mitmcache.dispatch import Dispatch


@pytest.fixture(autouse=True)
def not_installed() -> Iterator[None]:
    shortcuts.uninstall()
    yield
    shortcuts.uninstall()


class Proxied(Scripted, ProxyConnectionHandler):
    """Its hooks go to addons that note them, and do what the hook's `act` says."""

    def __init__(self, script: list[list[str]], *, ours: bool) -> None:
        super().__init__(script)
        self.master = Master()  # type: ignore[assignment]
        if ours:
            Dispatch(self.master.addons).install()
            shortcuts.install()
        self.tasks: list[object] = []
        self.master.addons.add(Plain("first", self), Waiting("second", self), Plain("third", self))


class Plain:
    def __init__(self, name: str, handler: Proxied) -> None:
        self.name, self.handler = name, handler

    def nod(self, act: str) -> None:
        self.handler.heard.append(f"{self.name} {act}")
        self.handler.tasks.append(asyncio.current_task())
        if act == f"{self.name}-fails":
            raise ZeroDivisionError
        if act == f"{self.name}-refuses":
            raise exceptions.OptionsError
        if act == f"{self.name}-halts":
            raise exceptions.AddonHalt

    aside = nod


class Waiting(Plain):
    def nod(self, act: str) -> Any:
        super().nod(act)
        return self.later(act) if act.startswith("waits") else None

    aside = nod

    async def later(self, act: str) -> None:
        await asyncio.sleep(0)
        self.handler.heard.append(f"{self.name} {act} later")
        if act == "waits-and-fails":
            raise ZeroDivisionError


async def rounds(many: int = 40) -> None:
    for _ in range(many):
        await asyncio.sleep(0)


async def played(script: list[list[str]], *, ours: bool) -> tuple[list[str], bytes]:
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    loop.set_exception_handler(lambda *_: None)  # a hook that fails is a task that does
    handler = Proxied(script, ours=ours)
    await handler.server_event(events.Start())
    await rounds()
    watchdog = handler.timeout_watchdog
    assert watchdog.can_timeout.is_set() and not watchdog.blocker
    return handler.heard, handler.writers["client"].written


ACTS = [
    *("done", "waits", "waits-and-fails", "first-fails", "third-fails", "first-halts", "third-halts"),
    *("first-refuses", "third-refuses"),
]


@pytest.mark.parametrize("hook", ["hook", "aside"])
@pytest.mark.parametrize("act", ACTS)
def test_it_is_the_same_as_mitmproxys(hook: str, act: str) -> None:
    script = [
        ["send client a", f"{hook} {act}", "send client b"],
        ["send client c", "hook done"],
        ["send client d"],
    ]
    theirs = asyncio.run(played(script, ours=False))
    assert asyncio.run(played(script, ours=True)) == theirs


@pytest.mark.parametrize(("act", "made"), [("done", 0), ("waits", 1)])
async def test_there_is_a_task_only_where_somebody_has_to_be_waited_for(act: str, made: int) -> None:
    names: list[str] = []

    def factory(loop: Any, coro: Any, **keywords: Any) -> Any:
        names.append(coro.__qualname__)
        return asyncio.eager_task_factory(loop, coro, **keywords)

    handler = Proxied([[f"hook {act}"], ["send client a"]], ours=True)
    asyncio.get_running_loop().set_task_factory(factory)
    await handler.server_event(events.Start())
    await rounds(5)
    assert handler.writers["client"].written == b"a"
    assert (len(names), len(handler.tasks)) == (made, 3)
    assert handler.tasks[:2] == [asyncio.current_task()] * 2
    assert (handler.tasks[2] is asyncio.current_task()) == (made == 0)


@pytest.mark.parametrize("busy", [False, True])
async def test_it_goes_on_at_once_where_nobody_else_is_ready(busy: bool) -> None:
    handler = Proxied([["hook done"], ["send client a"]], ours=True)
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    if busy:
        asyncio.get_running_loop().call_soon(handler.heard.append, "another")
    await handler.server_event(events.Start())
    assert handler.heard[-1] == ("third done" if busy else "HookCompleted")
    await rounds(3)
    assert handler.heard[-2:] == ["another" if busy else "third done", "HookCompleted"]


@pytest.mark.parametrize("act", ["done", "waits"])
async def test_a_flow_that_is_intercepted_waits_for_its_user(act: str) -> None:
    handler = Proxied([], ours=True)
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    held = tflow.tflow()

    class Interceptor:
        def nod(self, what: flow.Flow) -> Any:
            what.intercept()
            return asyncio.sleep(0) if act == "waits" else None

    handler.master.addons.clear()
    handler.master.addons.add(Interceptor())
    handler.order = lambda *_: NodHook(held)  # type: ignore[method-assign, arg-type]
    handler.script = iter([["hook"]])
    await handler.server_event(events.Start())
    await rounds(5)
    watchdog = handler.timeout_watchdog
    assert handler.heard == ["Start"] and (watchdog.blocker, watchdog.can_timeout.is_set()) == (1, False)
    held.resume()
    await rounds(5)
    assert handler.heard == ["Start", "HookCompleted"]
    assert (watchdog.blocker, watchdog.can_timeout.is_set()) == (0, True)


@pytest.mark.parametrize("others", [0, 1])
async def test_a_hook_is_activity_unless_another_goes_on(others: int) -> None:
    handler = Proxied([["aside done"]], ours=True)
    watchdog = handler.timeout_watchdog
    watchdog.blocker = others

    class Forgetting:
        def aside(self, act: str) -> None:
            watchdog.last_activity = 0.0

    handler.master.addons.add(Forgetting())
    await handler.server_event(events.Start())
    assert bool(watchdog.last_activity) == (not others)


@pytest.mark.parametrize("name", ["hook_task", "handle_hook"])
async def test_a_connection_with_ways_of_its_own_keeps_them(name: str) -> None:
    called: list[object] = []

    async def own(self: Proxied, hook: object) -> None:
        called.append(hook)

    handler = type("Own", (Proxied,), {name: own})([["hook done"]], ours=True)
    await handler.server_event(events.Start())
    await rounds(3)
    assert len(called) == 1


async def test_without_our_dispatch_it_is_mitmproxys() -> None:
    shortcuts.install()
    handler = Proxied([["hook waits"], ["send client a"]], ours=False)
    await handler.server_event(events.Start())
    await rounds(5)
    assert handler.writers["client"].written == b"a"


async def test_what_somebody_has_put_over_our_dispatch_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = Proxied([["hook done"], ["send client a"]], ours=True)
    asked: list[str] = []

    async def theirs(event: NodHook) -> None:
        asked.append(event.act)

    monkeypatch.setattr(handler.master.addons, "trigger_event", theirs)
    await handler.server_event(events.Start())
    await rounds(5)
    assert asked == ["done"] and handler.tasks == []
    assert handler.writers["client"].written == b"a"
