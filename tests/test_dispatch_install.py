"""How the fast dispatch comes and goes."""

import sys
from collections.abc import Callable
from types import FunctionType

import pytest
from mitmproxy import addonmanager
from mitmproxy.addonmanager import AddonManager
from mitmproxy.hooks import Hook

from managing import HelloHook, Named, Teller, manager
from mitmcache.dispatch import REPLACED, Dispatch
from mitmcache.internals import Unfamiliar

HELLO = HelloHook("hello")


def replaced(addons: AddonManager) -> set[str]:
    return set(REPLACED) & vars(addons).keys()


async def callers(addons: AddonManager) -> list[str]:
    """The functions between an event and its handler, and so which dispatch is at work."""
    names: list[str] = []
    asking = Named("asking")

    def hello(word: object) -> None:
        frame = sys._getframe(1)
        while frame and frame.f_code.co_name != "callers":
            names.append(frame.f_code.co_name)
            frame = frame.f_back  # type: ignore[assignment]

    asking.hello = hello  # type: ignore[attr-defined]
    addons.add(asking)
    try:
        await addons.trigger_event(HELLO)
    finally:
        addons.remove(asking)
    return names


FAST = ["_calls", "_started", "_begin", "trigger_event"]
SLOW = ["invoke_addon", "trigger_event"]


async def test_it_calls_handlers_itself_from_install_to_uninstall() -> None:
    addons = manager()
    dispatch = Dispatch(addons)
    assert await callers(addons) == SLOW
    dispatch.install()
    assert await callers(addons) == FAST
    dispatch.uninstall()
    assert await callers(addons) == SLOW and not replaced(addons)
    dispatch.install()
    assert await callers(addons) == FAST


async def test_another_manager_is_left_alone() -> None:
    Dispatch(manager()).install()
    assert await callers(manager()) == SLOW


async def test_two_do_not_stack() -> None:
    addons = manager()
    first, second = Dispatch(addons), Dispatch(addons)
    first.install()
    with pytest.raises(Unfamiliar, match="trigger_event is replaced already"):
        second.install()
    second.uninstall()
    assert await callers(addons) == FAST
    first.uninstall()
    second.install()
    assert await callers(addons) == FAST


async def test_what_somebody_has_put_over_it_stays() -> None:
    addons, heard = manager(), ["first"]
    addons.add(Teller("a", heard))
    dispatch = Dispatch(addons)
    dispatch.install()
    ours = addons.trigger_event

    async def theirs(event: Hook) -> None:
        heard.append("theirs")
        await ours(event)

    addons.trigger_event = theirs  # type: ignore[method-assign]
    dispatch.uninstall()
    assert replaced(addons) == {"trigger_event"}
    await addons.trigger_event(HELLO)
    assert heard == ["first", "theirs", "a"]
    assert await callers(addons) == [*SLOW, "trigger_event", "theirs"]


async def test_it_may_end_in_the_middle_of_an_event() -> None:
    """mitmproxy ends its addons with an event, and ours then takes its dispatch away."""
    addons, heard = manager(), ["first"]
    dispatch = Dispatch(addons)
    dispatch.install()
    ending = Named("ending", [Teller("a", heard)])
    ending.hello = lambda word: dispatch.uninstall()  # type: ignore[attr-defined]
    addons.add(ending, Teller("b", heard))
    await addons.trigger_event(HELLO)
    assert heard == ["first", "a", "b"]


def other(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
    """Puts a function in its place that does the same, and is not the same."""

    def function(*args: object, **kwargs: object) -> object:
        return original(*args, **kwargs)

    original: Callable[..., object] = getattr(owner, name)
    monkeypatch.setattr(owner, name, function)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (AddonManager, "trigger_event"),
        (AddonManager, "invoke_addon"),
        (AddonManager, "_iter_hooks"),
        (AddonManager, "register"),
        (AddonManager, "remove"),
        (addonmanager, "traverse"),
        (addonmanager, "safecall"),
    ],
)
def test_it_stands_aside_where_mitmproxy_is_another(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    addons = manager()
    assert isinstance(getattr(owner, name), FunctionType)
    other(monkeypatch, owner, name)
    with pytest.raises(Unfamiliar, match=f"{name} is another"):
        Dispatch(addons).install()
    assert not replaced(addons)


def test_it_stands_aside_where_a_function_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    addons = manager()
    monkeypatch.delattr(AddonManager, "_iter_hooks")
    with pytest.raises(Unfamiliar, match="_iter_hooks is another"):
        Dispatch(addons).install()


def test_it_stands_aside_where_the_manager_is_of_another_kind() -> None:
    class Manager(AddonManager):
        pass

    addons = manager()
    addons.__class__ = Manager
    with pytest.raises(Unfamiliar, match="another kind"):
        Dispatch(addons).install()
    assert not replaced(addons)
