"""Addons come and go between two events. Each passes with mitmproxy's own dispatch too."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mitmproxy.addonmanager import AddonManager
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.test import tflow

from managing import HelloHook, Named, Teller, Waiter, added, given, manager, nested
from mitmcache.dispatch import Dispatch

HELLO = HelloHook("hello")


@pytest.fixture(params=["mitmproxy's", "ours"])
def addons(request: pytest.FixtureRequest) -> Iterator[AddonManager]:
    made = manager()
    if request.param == "ours":
        Dispatch(made).install()
    yield made


@pytest.fixture
def heard() -> list[str]:
    return []


type Change = Callable[[AddonManager, Named, Named, list[str]], object]
"""Of a manager that has the addon a, with b below, and c."""

CHANGES: dict[str, tuple[Change, list[str]]] = {
    "an addon is added": (lambda m, a, c, h: m.add(Teller("d", h)), ["a", "b", "c", "d"]),
    "an addon is removed": (lambda m, a, c, h: m.remove(a), ["c"]),
    "all are removed": (lambda m, a, c, h: m.clear(), []),
    "one is registered and then appended": (
        lambda m, a, c, h: added(m, a, Teller("d", h)),
        ["a", "b", "d", "c"],
    ),
    "one is appended and then registered": (
        lambda m, a, c, h: nested(m, a, Teller("d", h)),
        ["a", "b", "d", "c"],
    ),
    "one is appended without a word": (
        lambda m, a, c, h: a.addons.append(Teller("d", h)),
        ["a", "b", "d", "c"],
    ),
    "a list is another": (lambda m, a, c, h: setattr(a, "addons", [Teller("d", h)]), ["a", "d", "c"]),
    "a list becomes a tuple": (lambda m, a, c, h: setattr(a, "addons", (Teller("d", h),)), ["a", "d", "c"]),
    "a list becomes a dict": (lambda m, a, c, h: setattr(a, "addons", {Teller("d", h): 1}), ["a", "d", "c"]),
    "an addon has no more addons": (lambda m, a, c, h: delattr(a, "addons"), ["a", "c"]),
    "one that had none gets some": (
        lambda m, a, c, h: given(m, c, Teller("d", h)),
        ["a", "b", "c", "d"],
    ),
    "the chain is turned round": (lambda m, a, c, h: m.chain.reverse(), ["c", "a", "b"]),
    "the chain is another list": (lambda m, a, c, h: setattr(m, "chain", [c]), ["c"]),
    "an instance gets a handler": (
        lambda m, a, c, h: setattr(c, "hello", lambda word: h.append("new")),
        ["a", "b", "new"],
    ),
    "a class loses its handler": (lambda m, a, c, h: setattr(a, "hello", None), ["b", "c"]),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES.keys())
async def test_the_next_event_goes_by_what_is_there_now(
    addons: AddonManager, heard: list[str], change: Change, expected: list[str]
) -> None:
    a, c = Teller("a", heard, [Waiter("b", heard)]), Teller("c", heard)
    addons.add(a, c)
    await addons.trigger_event(HELLO)
    assert heard == ["a", "b", "c"]
    change(addons, a, c, heard)
    heard.clear()
    await addons.trigger_event(HELLO)
    assert heard == expected


async def test_a_handler_that_a_class_gets_later_is_called(addons: AddonManager, heard: list[str]) -> None:
    class Silent(Named):
        pass

    addons.add(Silent("a"))
    await addons.trigger_event(HELLO)
    Silent.hello = lambda self, word: heard.append(word)  # type: ignore[attr-defined]
    await addons.trigger_event(HELLO)
    assert heard == ["hello"]


async def test_an_addon_that_makes_its_handlers_up_is_asked_each_time(
    addons: AddonManager, heard: list[str]
) -> None:
    class Made:
        name = "made"
        on = False

        def __getattr__(self, name: str) -> Any:
            if name == "hello" and self.on:
                return heard.append
            raise AttributeError(name)

    made = Made()
    addons.add(made)
    await addons.trigger_event(HELLO)
    made.on = True
    await addons.trigger_event(HELLO)
    assert heard == ["hello"]


async def test_addons_that_say_they_are_equal_are_still_two(addons: AddonManager, heard: list[str]) -> None:
    class Alike(Teller):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    parent = Named("parent", [Alike("a", heard)])
    addons.add(parent)
    await addons.trigger_event(HELLO)
    parent.addons[0] = Alike("b", heard)
    await addons.trigger_event(HELLO)
    assert heard == ["a", "b"]


async def test_addons_from_a_property_are_those_of_now(addons: AddonManager, heard: list[str]) -> None:
    class Owner(Named):
        now: Any = None

        @property
        def addons(self) -> list[Any]:
            if self.now == "broken":
                raise ValueError("no addons")
            return [self.now] if self.now else []

    owner = Owner("owner")
    addons.add(owner, Teller("last", heard))
    for now in (Teller("a", heard), Teller("b", heard), None, "broken", Waiter("c", heard)):
        owner.now = now
        await addons.trigger_event(HELLO)
    assert heard == ["a", "last", "b", "last", "last", "last", "c", "last"]


async def test_an_update_after_a_wait_is_told_to_who_has_come_meanwhile(
    addons: AddonManager, heard: list[str]
) -> None:
    late, parent, flow = Named("late"), Named("parent", []), tflow.tflow()
    late.update = lambda flows: heard.append("update")  # type: ignore[attr-defined]

    async def request(got: object) -> None:
        await asyncio.sleep(0)
        parent.addons.append(late)  # and nobody is told

    parent.request = request  # type: ignore[attr-defined]
    addons.add(parent)
    await addons.handle_lifecycle(HttpRequestHook(flow))
    assert heard == ["update"]
