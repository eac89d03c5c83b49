"""Addons come and go in the middle of an event. Each passes with mitmproxy's own dispatch too."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mitmproxy.addonmanager import AddonManager
from mitmproxy.exceptions import AddonHalt

from managing import Doer, HelloHook, Named, Teller, added, given, logged, manager
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


type Act = Callable[[AddonManager, Any, list[str]], object]
"""Done by the second of four in `parent.addons`, behind which there is the addon `last`."""

ACTS: dict[str, tuple[Act, list[str]]] = {
    "a top-level addon is added": (
        lambda m, p, h: m.add(Teller("new", h)),
        ["1", "2", "3", "4", "last", "new"],
    ),
    "a top-level addon is removed": (lambda m, p, h: m.remove(m.get("last")), ["1", "2", "3", "4", "last"]),
    "the whole tree is removed": (lambda m, p, h: m.remove(p), ["1", "2", "3", "4", "last"]),
    "all are removed": (lambda m, p, h: m.clear(), ["1", "2", "3", "4", "last"]),
    "a sibling is added": (
        lambda m, p, h: added(m, p, Teller("new", h)),
        ["1", "2", "3", "4", "new", "last"],
    ),
    "the next sibling is removed": (
        lambda m, p, h: (m.remove(p.addons[2]), p.addons.pop(2)),
        ["1", "2", "4", "last"],
    ),
    "the siblings are another list": (
        lambda m, p, h: given(m, p, Teller("new", h)),
        ["1", "2", "3", "4", "last"],
    ),
    "it gets addons of its own": (
        lambda m, p, h: given(m, p.addons[1], Teller("new", h)),
        ["1", "2", "new", "3", "4", "last"],
    ),
    "the next one gets a handler": (
        lambda m, p, h: setattr(p.addons[2], "hello", lambda word: h.append("new")),
        ["1", "2", "new", "4", "last"],
    ),
}


@pytest.mark.parametrize("how", ["sync", "async", "failing"])
@pytest.mark.parametrize(("act", "expected"), ACTS.values(), ids=ACTS.keys())
async def test_an_event_goes_on_in_a_tree_that_changes(
    addons: AddonManager, heard: list[str], how: str, act: Act, expected: list[str]
) -> None:
    parent = Named("parent", [Teller(name, heard) for name in "1234"])
    addons.add(parent, Teller("last", heard))

    async def later(word: object) -> None:
        heard.append("2")
        await asyncio.sleep(0)
        act(addons, parent, heard)

    def failing() -> None:
        act(addons, parent, heard)
        raise ValueError

    if how == "async":
        parent.addons[1].hello = later
    else:
        doing = failing if how == "failing" else lambda: act(addons, parent, heard)
        parent.addons[1] = Doer("2", heard, doing)
        addons.lookup["2"] = parent.addons[1]
    with logged() as log:
        await addons.trigger_event(HELLO)
    after = expected[expected.index("last") :]
    assert heard == (["1", "2", *after] if how == "failing" else expected)
    assert bool(log.told) == (how == "failing")


async def test_an_event_goes_on_upwards_through_all_levels(addons: AddonManager, heard: list[str]) -> None:
    upper = Named("upper")
    inner = Doer("inner", heard, lambda: added(addons, upper, Teller("new", heard)))
    upper.addons = [Named("lower", [inner, Teller("beside", heard)]), Teller("above", heard)]
    addons.add(upper, Teller("last", heard))
    await addons.trigger_event(HELLO)
    assert heard == ["inner", "beside", "above", "new", "last"]


async def test_an_event_goes_on_in_the_list_that_is_the_chain_now(
    addons: AddonManager, heard: list[str]
) -> None:
    addons.add(Doer("adding", heard, lambda: len(heard) == 2 and addons.add(Teller("new", heard))))
    await addons.trigger_event(HELLO)
    addons.chain = list(addons.chain)
    await addons.trigger_event(HELLO)
    assert heard == ["adding", "adding", "new"]


async def test_an_event_that_goes_on_still_logs_and_halts(addons: AddonManager, heard: list[str]) -> None:
    def fail() -> None:
        raise ValueError

    def halt() -> None:
        raise AddonHalt

    changing = Doer("changing", heard, lambda: addons.add(Named("new")))
    addons.add(changing, Doer("failing", heard, fail), Doer("halting", heard, halt), Teller("last", heard))
    with logged() as log:
        await addons.trigger_event(HELLO)
    assert heard == ["changing", "failing", "halting"] and len(log.told) == 1


async def test_events_at_the_same_time_each_see_a_reload(addons: AddonManager, heard: list[str]) -> None:
    """A script is taken out and put in again while events wait in it: they end in what they began with."""
    gate = asyncio.Event()

    async def wait(word: object) -> None:
        heard.append("waiting")
        await gate.wait()

    old = Named("script", [Teller("a", heard), Teller("b", heard)])
    old.addons[0].hello = wait
    loader = Named("loader", [old])
    addons.add(loader, Teller("last", heard))
    running = [asyncio.create_task(addons.trigger_event(HELLO)) for _ in range(2)]
    await asyncio.sleep(0)
    addons.remove(old)
    loader.addons.remove(old)
    added(addons, loader, Named("script", [Teller("a", heard)]))
    await addons.trigger_event(HELLO)
    gate.set()
    await asyncio.gather(*running)
    # the loader's list has the new script in the old one's place, behind which the two events are
    assert heard == ["waiting", "waiting", "a", "last", "b", "last", "b", "last"]
