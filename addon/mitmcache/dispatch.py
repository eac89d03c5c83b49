"""mitmproxy's dispatch of hooks, without what makes it slow.

mitmproxy walks the tree of addons anew for each event, and calls each addon in a coroutine and a context
manager of its own. Here the tree is walked once, and kept as a list until it changes. Nothing else is kept:
each addon is asked for its handler when its turn comes, so that a hook that is added, replaced or taken away
counts at once.

Whether the tree is still the one that was walked is looked up at the start of each event, and known whenever
an addon is registered or removed; an event in whose middle that happens goes on as mitmproxy would have gone
on. Two changes are seen later than by mitmproxy. Where an addon had no `addons` and gets some, it is when an
addon is registered or removed next. Where a list of addons is changed in the middle of an event, and the
manager is not told, it is at the next event.
"""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain as joined
from itertools import islice, repeat
from operator import eq, is_, length_hint
from types import ModuleType
from typing import Any, NamedTuple

from mitmproxy import addonmanager, exceptions, hooks
from mitmproxy.addonmanager import AddonManager

from mitmcache.internals import Unfamiliar, verify

REPLACED = ("trigger_event", "register", "remove")
KNOWN = {
    "addonmanager.AddonManager.trigger_event": "b763c59bc4992e33",
    "addonmanager.AddonManager.invoke_addon": "13180532440359de",
    "addonmanager.AddonManager._iter_hooks": "350b419ab7284091",
    "addonmanager.AddonManager.register": "01ddcca314eebbd3",
    "addonmanager.AddonManager.remove": "2e93aab2204a39f6",
    "addonmanager.traverse": "bad3d9f88bdf9269",
    "addonmanager.safecall": "f2052c18340e99b0",
    "hooks.Hook.args": "5bab95f7aa358e18",
}
"""What is replaced, and what that relies on: digests of the source."""


class Place(NamedTuple):
    members: Sequence[object]
    at: int


@dataclass(frozen=True, slots=True)
class Tree:
    """The addons in the order of their calls.

    `paths[n]` is where the addon n was found: first in the chain, then in the `addons` below. `ends[n]` is
    where the part of the list ends that belongs to the same top-level addon. `nested` have `addons`.
    """

    chain: list[object]
    tops: list[object]
    addons: list[object]
    paths: list[tuple[Place, ...]]
    ends: list[int]
    nested: list[tuple[object, Sequence[object]]]
    plain: bool

    def stands(self, chain: list[object]) -> bool:
        """Whether a walk would find the same now. What a property `addons` raises, this raises."""
        # `==` looks for identity first, and that 20 times faster; an addon's own __eq__ must not be asked
        same = eq if self.plain else _identical
        if chain is not self.chain or not same(chain, self.tops):
            return False
        for addon, members in self.nested:  # noqa: SIM110 - a generator costs more, at every event
            if not same(getattr(addon, "addons", None), members):
                return False
        return True

    def rest(self, at: int) -> Iterator[object]:
        """What mitmproxy, having called the addon `at`, goes down into before the next top-level addon."""
        addon: Any = self.addons[at]
        if hasattr(addon, "addons"):
            yield from addon.addons
        for members, place in reversed(self.paths[at][1:]):
            yield from islice(members, place + 1, None)

    def tops_after(self, at: int) -> Iterator[object]:
        members, place = self.paths[at][0]
        return islice(members, place + 1, None)


def walk(chain: list[object]) -> Tree | None:
    """None for a tree that cannot be kept: `addons` may be anything that can be iterated over."""
    addons: list[object] = []
    paths: list[tuple[Place, ...]] = []
    ends: list[int] = []
    nested: list[tuple[object, Sequence[object]]] = []

    def visit(addon: Any, path: tuple[Place, ...]) -> bool:
        addons.append(addon)
        paths.append(path)
        if not hasattr(addon, "addons"):
            return True
        members = addon.addons
        if type(members) not in (list, tuple):
            return False
        nested.append((addon, members[:]))
        return all(visit(member, (*path, Place(members, index))) for index, member in enumerate(members))

    for index, top in enumerate(chain):
        if not visit(top, (Place(chain, index),)):
            return None
        ends.extend([len(addons)] * (len(addons) - len(ends)))
    plain = all(type(addon).__eq__ is object.__eq__ for addon in addons)
    return Tree(chain, chain[:], addons, paths, ends, nested, plain)


class Dispatch:
    """Takes the place of some methods of one manager, from `install` to `uninstall`."""

    def __init__(self, manager: AddonManager) -> None:
        self._manager = manager
        self._tree: Tree | None = None
        self._installed = False

    def install(self) -> None:
        """Raises Unfamiliar, and has then changed nothing."""
        _check(self._manager)
        for name in REPLACED:
            setattr(self._manager, name, getattr(self, name))
        self._installed = True

    def uninstall(self) -> None:
        self._installed, self._tree = False, None
        for name in REPLACED:
            # what somebody else has put over ours stays, and ours below it does what mitmproxy does
            if vars(self._manager).get(name) == getattr(self, name):
                delattr(self._manager, name)

    def register(self, addon: object) -> Any:
        try:
            return AddonManager.register(self._manager, addon)
        finally:
            self._tree = None

    def remove(self, addon: object) -> None:
        try:
            AddonManager.remove(self._manager, addon)
        finally:
            self._tree = None

    async def trigger_event(self, event: hooks.Hook) -> None:
        tree = self._present()
        if tree is None or not isinstance(event, hooks.Hook) or type(event).args is not hooks.Hook.args:
            await AddonManager.trigger_event(self._manager, event)
            return
        name, arguments = event.name, event.args()
        addons = iter(tree.addons)
        # one after another, but found without a step of Python for each of those that have no such handler
        handlers = filter(None, map(getattr, addons, repeat(name), repeat(None)))
        while True:
            failed = False
            try:
                for handler in handlers:
                    if callable(handler):
                        result = handler(*arguments)
                        if result is not None and inspect.isawaitable(result):
                            await result
                    elif not isinstance(handler, ModuleType):
                        addon = tree.addons[_last(addons, tree)]
                        raise exceptions.AddonManagerError(f"Addon handler {name} ({addon}) not callable")
                    if self._tree is not tree:
                        break
                else:
                    return
            except exceptions.AddonHalt:
                return
            except exceptions.OptionsError:
                raise
            except Exception as error:
                _report(error)
                failed = True
            at = _last(addons, tree)
            if self._tree is not tree:
                await self._go_on(event, tree, at, failed)
                return
            for _ in range(at + 1, tree.ends[at]):
                next(addons)

    async def _go_on(self, event: hooks.Hook, tree: Tree, at: int, failed: bool) -> None:
        """The end of an event in which the tree was changed, when the addon `at` has been called."""
        below = [] if failed else [_Parent(tree.rest(at))]
        try:
            for addon in joined(below, tree.tops_after(at)):
                with addonmanager.safecall():
                    await self._manager.invoke_addon(addon, event)
        except exceptions.AddonHalt:
            return

    def _present(self) -> Tree | None:
        """The tree as it is now; None: mitmproxy has to go through it."""
        try:
            if self._tree is None or not self._tree.stands(self._manager.chain):
                self._tree = walk(self._manager.chain) if self._installed else None
        except Exception:
            self._tree = None
        return self._tree


class _Parent:
    """An addon that has no hooks."""

    def __init__(self, addons: Iterator[object]) -> None:
        self.addons = addons


def _last(addons: Iterator[object], tree: Tree) -> int:
    """Which of the tree's was taken last."""
    return len(tree.addons) - length_hint(addons) - 1


def _report(error: Exception) -> None:
    """As mitmproxy's safecall does it, from where the handler begins."""
    trace = error.__traceback__
    assert trace
    if isinstance(error, StopIteration):  # what leaves the coroutine that mitmproxy calls a handler in
        error = RuntimeError("coroutine raised StopIteration")
    addonmanager.logger.error(f"Addon error: {error}", exc_info=(type(error), error, trace.tb_next or trace))


def _identical(one: Any, other: Sequence[object]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other))


def _check(manager: AddonManager) -> None:
    if type(manager) is not AddonManager or type(manager.chain) is not list:
        raise Unfamiliar("the addon manager is of another kind")
    if changed := [name for name in REPLACED if name in vars(manager)]:
        raise Unfamiliar(f"the addon manager's {changed[0]} is replaced already")
    verify(KNOWN)
