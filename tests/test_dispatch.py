"""What mitmproxy promises of its addon manager. Each of these passes with mitmproxy's own dispatch too."""

import asyncio
import types
from collections.abc import Callable, Iterator
from traceback import extract_tb
from typing import Any

import pytest
from mitmproxy import exceptions
from mitmproxy.addonmanager import AddonManager
from mitmproxy.hooks import RunningHook
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.test import tflow

from managing import Doer, HelloHook, Logged, Named, PairHook, Teller, Waiter, logged, manager
from mitmcache.dispatch import Dispatch

HELLO = HelloHook("hello")


class LoudHook(HelloHook):
    def args(self) -> list[Any]:
        self.word += "!"
        return [self.word.upper()]


@pytest.fixture(params=["mitmproxy's", "ours"])
def addons(request: pytest.FixtureRequest) -> Iterator[AddonManager]:
    made = manager()
    if request.param == "ours":
        dispatch = Dispatch(made)
        dispatch.install()
        yield made
        dispatch.uninstall()
    else:
        yield made


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def log() -> Iterator[Logged]:
    with logged() as log:
        yield log


def raising(error: Exception) -> Callable[[], object]:
    def action() -> None:
        raise error

    return action


async def test_addons_are_called_in_the_order_of_the_tree(addons: AddonManager, heard: list[str]) -> None:
    deep = Teller("deep", heard)
    parent = Teller("parent", heard, [Teller("child", heard, (deep,)), Waiter("sibling", heard)])
    addons.add(Teller("first", heard), parent, Named("deaf"), Waiter("last", heard))
    await addons.trigger_event(HELLO)
    assert heard == ["first", "parent", "child", "deep", "sibling", "last"]


async def test_a_handler_gets_the_fields_of_the_event(addons: AddonManager) -> None:
    got: list[object] = []
    addon = Named("a")
    addon.pair = lambda one, other: got.append((one, other))  # type: ignore[attr-defined]
    addon.running = lambda: got.append("running")  # type: ignore[attr-defined]
    addons.add(addon)
    await addons.trigger_event(PairHook(1, 2))
    await addons.trigger_event(RunningHook())
    assert got == [(1, 2), "running"]


async def test_an_event_may_give_its_arguments_in_its_own_way(addons: AddonManager, heard: list[str]) -> None:
    first, second = Named("a"), Named("b")
    first.loud = second.loud = heard.append  # type: ignore[attr-defined]
    addons.add(first, second)
    await addons.trigger_event(LoudHook("hello"))
    assert heard == ["HELLO!", "HELLO!!"]


async def test_what_a_handler_returns_is_awaited_if_it_can_be(addons: AddonManager, heard: list[str]) -> None:
    async def later() -> None:
        await asyncio.sleep(0)
        heard.append("later")

    first, second = Named("a"), Named("b")
    first.hello = lambda word: asyncio.create_task(later())  # type: ignore[attr-defined]
    second.hello = lambda word: "not awaitable"  # type: ignore[attr-defined]
    addons.add(first, second, Teller("last", heard))
    await addons.trigger_event(HELLO)
    assert heard == ["later", "last"]


@pytest.mark.parametrize("kind", [Doer, Waiter])
async def test_a_halt_stops_everybody_after_it(
    addons: AddonManager, heard: list[str], log: Logged, kind: type[Teller]
) -> None:
    async def halt(word: object) -> None:
        raise exceptions.AddonHalt

    stop = Doer("stop", heard, raising(exceptions.AddonHalt()), [Teller("child", heard)])
    if kind is Waiter:
        stop.hello = halt  # type: ignore[assignment, method-assign]
    addons.add(Teller("before", heard), stop, Teller("after", heard))
    await addons.trigger_event(HELLO)
    assert "child" not in heard and "after" not in heard and not log.told
    addons.remove(stop)
    heard.clear()
    await addons.trigger_event(HELLO)
    assert heard == ["before", "after"]


async def test_an_error_is_logged_and_ends_what_is_below_the_same_top(
    addons: AddonManager, heard: list[str], log: Logged
) -> None:
    broken = Doer("broken", heard, raising(ValueError("no")), [Teller("below", heard)])
    addons.add(
        Named("top", [Teller("before", heard), broken, Teller("beside", heard)]), Teller("next", heard)
    )
    await addons.trigger_event(HELLO)
    assert heard == ["before", "broken", "next"]
    assert log.told == [("ERROR", "Addon error: no", "ValueError")]
    exc_info = log.records[0].exc_info
    assert exc_info and exc_info[2]
    # it begins with the handler: what calls it is of no use to who wrote it
    assert [frame.name for frame in extract_tb(exc_info[2])] == ["hello", "action"]


async def test_handlers_do_not_see_errors_of_others(
    addons: AddonManager, heard: list[str], log: Logged
) -> None:
    addons.add(Doer("a", heard, raising(ValueError())), Doer("b", heard, raising(KeyError())))
    await addons.trigger_event(HELLO)
    seen = [
        record.exc_info[1].__context__ for record in log.records if record.exc_info and record.exc_info[1]
    ]
    assert seen == [None, None]


async def test_an_error_of_one_that_was_waited_for_is_told_the_same(
    addons: AddonManager, heard: list[str], log: Logged
) -> None:
    async def hello(word: object) -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    waiting = Named("waiting")
    waiting.hello = hello  # type: ignore[attr-defined]
    addons.add(waiting, Doer("b", heard, raising(KeyError())))
    await addons.trigger_event(HELLO)
    told = [record.exc_info for record in log.records if record.exc_info]
    assert [[frame.name for frame in extract_tb(trace)] for _, _, trace in told] == [
        ["hello"],
        ["hello", "action"],
    ]
    assert [error.__context__ for _, error, _ in told if error] == [None, None]


@pytest.mark.parametrize(
    "error", [exceptions.OptionsError("bad"), asyncio.CancelledError(), KeyboardInterrupt()]
)
async def test_what_is_no_addons_error_goes_through(
    addons: AddonManager, heard: list[str], log: Logged, error: BaseException
) -> None:
    addons.add(Doer("a", heard, raising(error)), Teller("b", heard))  # type: ignore[arg-type]
    with pytest.raises(type(error)):
        await addons.trigger_event(HELLO)
    assert heard == ["a"] and not log.told


async def test_a_flows_event_is_followed_by_an_update(addons: AddonManager, heard: list[str]) -> None:
    flow, seen = tflow.tflow(), []
    addon = Doer("a", heard, raising(exceptions.AddonHalt()))
    addon.request = lambda got: seen.append(("request", got))  # type: ignore[attr-defined]
    addon.update = lambda flows: seen.append(("update", *flows))  # type: ignore[attr-defined]
    addons.add(addon)
    await addons.handle_lifecycle(HttpRequestHook(flow))
    await addons.handle_lifecycle(HELLO)
    assert seen == [("request", flow), ("update", flow)]
    seen.clear()
    addon.request = raising(exceptions.AddonHalt())  # type: ignore[attr-defined]
    await addons.handle_lifecycle(HttpRequestHook(flow))
    assert seen == [("update", flow)]


async def test_what_cannot_be_called_is_an_error_unless_it_is_a_module(
    addons: AddonManager, heard: list[str], log: Logged
) -> None:
    a, b, nothing = Named("a"), Named("b"), Named("nothing")
    a.hello, b.hello, nothing.hello = 1, asyncio, 0  # type: ignore[attr-defined]
    addons.add(a, b, nothing, Teller("c", heard))
    await addons.trigger_event(HELLO)
    assert heard == ["c"]
    assert log.told == [("ERROR", "Addon error: Addon handler hello (<a>) not callable", "AddonManagerError")]


async def test_a_module_is_an_addon_too(addons: AddonManager, heard: list[str]) -> None:
    script = types.ModuleType("script")
    script.name = "script.py"  # type: ignore[attr-defined]
    script.addons = [Teller("a", heard)]  # type: ignore[attr-defined]
    script.hello = heard.append  # type: ignore[attr-defined]
    addons.add(script)
    await addons.trigger_event(HELLO)
    assert heard == ["hello", "a"]


async def test_what_is_no_event_is_an_error_of_each_addon(addons: AddonManager, log: Logged) -> None:
    addons.add(Named("a"), Named("b"))
    await addons.trigger_event("hello")  # type: ignore[arg-type]
    assert log.told == [("ERROR", "Addon error: ", "AssertionError")] * 2


async def test_an_async_handler_cannot_be_called_from_sync_code(
    addons: AddonManager, heard: list[str], log: Logged
) -> None:
    addons.add(Teller("a", heard), Waiter("b", heard), Teller("c", heard))
    addons.trigger(HELLO)
    assert heard == ["a", "c"]
    [(level, message, kind)] = log.told
    assert (level, kind) == ("ERROR", "AddonManagerError") and "called from sync context" in message
    await addons.trigger_event(HELLO)
    assert heard == ["a", "c", "a", "b", "c"]


async def test_names_are_taken_once_and_given_back(addons: AddonManager, heard: list[str]) -> None:
    tree = Teller("a", heard, [Teller("b", heard)])
    addons.add(tree)
    with pytest.raises(exceptions.AddonManagerError):
        addons.add(Teller("b", heard))
    assert len(addons) == 1 and addons.get("b") in tree.addons and tree in addons
    addons.remove(tree)
    with pytest.raises(exceptions.AddonManagerError):
        addons.remove(tree)
    assert len(addons) == 0 and addons.get("b") is None
    await addons.trigger_event(HELLO)
    assert heard == []
