"""Trees of addons and what is done with them, made up: both dispatches call, log and raise the same."""

import asyncio
import logging
import string
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from mitmproxy import exceptions
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.test import tflow

from managing import HelloHook, Named, PairHook, logged, manager
from mitmcache.dispatch import Dispatch

HOOKS = ("hello", "pair", "request", "update")
PLAIN = ("note", "wait", "fail", "wait and fail", "stop", "halt", "options", "junk", "module", "none")


@dataclass(frozen=True)
class Op:
    """Something done to the tree: `at` and `to` choose among the addons that there are."""

    what: str
    at: int
    to: int
    hook: str
    act: "str | Op"
    spec: "Spec"


@dataclass(frozen=True)
class Spec:
    """An addon: what it does at which hook, and how it holds its own addons, if any."""

    acts: tuple[tuple[str, "str | Op"], ...]
    form: str
    below: "tuple[Spec, ...]"


class Owner(Named):
    """Its `addons` are a property."""

    held: list[Any]

    @property
    def addons(self) -> list[Any]:
        return list(self.held)

    @addons.setter
    def addons(self, value: Any) -> None:
        self.held = list(value)


class World:
    def __init__(self, *, fast: bool) -> None:
        self.manager = manager()
        self.all: list[Any] = []
        self.heard: list[object] = []
        self.left = 40
        self.names = iter(
            f"{a}{b}{c}" for a in string.ascii_lowercase for b in string.digits for c in string.digits
        )
        if fast:
            Dispatch(self.manager).install()

    def make(self, spec: Spec) -> Any:
        addon = (Owner if spec.form == "property" else Named)(next(self.names))
        for hook, act in spec.acts:
            self.give(addon, hook, act)
        if spec.form != "none":
            below = [self.make(each) for each in spec.below]
            addon.addons = tuple(below) if spec.form == "tuple" else below
        self.all.append(addon)
        return addon

    def give(self, addon: Any, hook: str, act: str | Op) -> None:
        setattr(addon, hook, self.handler(addon.name, hook, act))

    def handler(self, name: str, hook: str, act: str | Op) -> Any:
        if act in ("junk", "module", "none"):
            return {"junk": 1, "module": asyncio, "none": None}[str(act)]

        def note(*args: object) -> None:
            self.heard.append((name, hook, len(args)))
            if isinstance(act, Op):
                self.do(act)
            elif act == "halt":
                raise exceptions.AddonHalt
            elif act == "options":
                raise exceptions.OptionsError("refused")
            elif act == "stop":
                raise StopIteration
            elif "fail" in act:
                raise ValueError(name)

        async def wait(*args: object) -> None:
            await asyncio.sleep(0)
            note(*args)
            await asyncio.sleep(0)

        return wait if "wait" in str(act) or (isinstance(act, Op) and act.to % 2) else note

    def do(self, op: Op) -> None:
        # an addon that puts others before itself is called again, for ever
        self.left -= 1
        if not self.all or self.left < 0:
            return
        at = self.all[op.at % len(self.all)]
        try:
            self._do(op, at, self.all[op.to % len(self.all)])
        except exceptions.AddonManagerError as error:
            self.heard.append(str(error))

    def _do(self, op: Op, at: Any, to: Any) -> None:
        manager = self.manager
        match op.what:
            case "add":
                manager.add(self.make(op.spec))
            case "remove":
                manager.remove(at)
            case "give":
                self.give(at, op.hook, op.act)
            case "take":
                vars(at).pop(op.hook, None)
            case "clear":
                manager.clear()
            case "nest":
                new = manager.register(self.make(op.spec))
                at.addons = [*getattr(at, "addons", ()), new]
            case "append" if isinstance(getattr(at, "addons", None), list):
                new = self.make(op.spec)
                at.addons.insert(op.to % 2, new)
                manager.register(new)
            case "drop" if getattr(at, "addons", None):
                dropped, *rest = at.addons
                manager.remove(dropped)
                at.addons = rest
            case "swap":
                at.name, to.name = to.name, at.name


async def play(world: World, steps: list[tuple[str, Any]]) -> None:
    for what, how in steps:
        match what:
            case "event":
                await told(world, world.manager.trigger_event(event(how)))
            case "lifecycle":
                await told(world, world.manager.handle_lifecycle(event(how)))
            case "sync":
                try:
                    world.manager.trigger(event(how))
                except exceptions.OptionsError as error:
                    world.heard.append(repr(error))
            case "together":
                first, op, second = how
                running = [
                    asyncio.create_task(told(world, world.manager.trigger_event(event(hook))))
                    for hook in (first, second)
                ]
                await asyncio.sleep(0)
                world.do(op)
                await asyncio.gather(*running)
            case _:
                world.do(how)
        world.heard.append(what)


async def told(world: World, coming: Coroutine[Any, Any, None]) -> None:
    try:
        await coming
    except exceptions.OptionsError as error:
        world.heard.append(repr(error))


def event(hook: str) -> Any:
    return {"hello": HelloHook("a"), "pair": PairHook(1, 2)}.get(hook) or HttpRequestHook(tflow.tflow())


async def history(trees: list[Spec], steps: list[tuple[str, Any]], *, fast: bool) -> list[object]:
    world = World(fast=fast)
    with logged() as log:
        for spec in trees:
            world.manager.add(world.make(spec))
        await play(world, steps)
    return [*world.heard, *log.told]


indexes = st.integers(0, 7)
hooks = st.sampled_from(HOOKS)


def specs(acts: st.SearchStrategy[Any], below: st.SearchStrategy[Any]) -> st.SearchStrategy[Spec]:
    return st.builds(
        Spec,
        st.lists(st.tuples(hooks, acts), max_size=3).map(tuple),
        st.sampled_from(["none", "list", "list", "tuple", "property"]),
        below,
    )


WHATS = ["add", "remove", "give", "give", "take", "clear", "nest", "append", "append", "drop", "swap"]
leaves = specs(st.sampled_from(PLAIN), st.just(()))
ops = st.builds(Op, st.sampled_from(WHATS), indexes, indexes, hooks, st.sampled_from(PLAIN), leaves)
acts = st.one_of(st.sampled_from(PLAIN), st.sampled_from(["note", "wait"]), ops)
trees = st.lists(
    st.recursive(
        specs(acts, st.just(())),
        lambda deeper: specs(acts, st.lists(deeper, max_size=3).map(tuple)),
        max_leaves=6,
    ),
    min_size=1,
    max_size=4,
)
events = st.sampled_from(HOOKS[:3])
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["event", "event", "lifecycle", "sync"]), events),
        st.tuples(st.just("op"), ops),
        st.tuples(st.just("together"), st.tuples(events, ops, events)),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=300)
@given(trees, steps)
def test_nobody_can_tell_the_two_apart(trees: list[Spec], steps: list[tuple[str, Any]]) -> None:
    logging.getLogger("mitmproxy.command").disabled = True
    expected = asyncio.run(history(trees, steps, fast=False))
    assert asyncio.run(history(trees, steps, fast=True)) == expected
