"""mitmproxy's dispatch of hooks, without what makes it slow.

mitmproxy walks the tree of addons anew for each event, and calls each addon in a coroutine and a context
manager of its own. Here the tree is walked once, and kept as a list until it changes. Nothing else is kept:
each addon is asked for its handler when its turn comes, so that a hook that is added, replaced or taken away
counts at once.

Whether the tree is still the one that was walked is looked up at the start of each event, of which the update
that follows at once is part, and known whenever an addon is registered or removed; an event in whose middle
that happens goes on as mitmproxy would have gone on. Two changes are seen later than by mitmproxy. Where an
addon had no `addons` and gets some, it is when an addon is registered or removed next. Where a list of addons
is changed in the middle of an event, and the manager is not told, it is at the next event.
"""

import inspect
from collections.abc import Awaitable, Coroutine, Generator, Iterator
from itertools import chain as joined
from itertools import repeat
from operator import length_hint
from types import ModuleType
from typing import Any

from mitmproxy import addonmanager, exceptions, flow, hooks
from mitmproxy.addonmanager import AddonManager

from mitmcache.addontree import Tree, walk
from mitmcache.internals import Unfamiliar, verify

REPLACED = ("trigger_event", "handle_lifecycle", "register", "remove")
KNOWN = {
    "addonmanager.AddonManager.trigger_event": "b763c59bc4992e33",
    "addonmanager.AddonManager.handle_lifecycle": "38c97e792d1db5b7",
    "addonmanager.AddonManager.invoke_addon": "13180532440359de",
    "addonmanager.AddonManager._iter_hooks": "350b419ab7284091",
    "addonmanager.AddonManager.register": "01ddcca314eebbd3",
    "addonmanager.AddonManager.remove": "2e93aab2204a39f6",
    "addonmanager.traverse": "bad3d9f88bdf9269",
    "addonmanager.safecall": "f2052c18340e99b0",
    "hooks.Hook.args": "5bab95f7aa358e18",
    "hooks.UpdateHook": "d42999dd3ce93347",
}
"""What is replaced, and what that relies on: digests of the source."""


type Calls = Generator[Awaitable[object]]


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
        if rest := self._begin(event):
            await rest

    async def handle_lifecycle(self, event: hooks.Hook) -> None:
        if rest := self.begin_lifecycle(event):
            await rest

    def begin_lifecycle(self, event: hooks.Hook) -> Coroutine[Any, Any, None] | None:
        """Calls the handlers, up to the first that has to be waited for. What is left to do then; None: all
        is done."""
        if vars(self._manager).get("trigger_event") != self.trigger_event:
            return AddonManager.handle_lifecycle(self._manager, event)
        message = event.args()[0]
        if rest := self._begin(event):
            return self._and_update(rest, message)
        return self._update(message)

    async def _and_update(self, rest: Coroutine[Any, Any, None], message: object) -> None:
        await rest
        self._present()
        if update := self._update(message):
            await update

    def _update(self, message: object) -> Coroutine[Any, Any, None] | None:
        if not isinstance(message, flow.Flow):
            return None
        # looked up a moment ago, when the event began
        if tree := self._tree or self._present():
            # most often nobody wants to know, and then there need be no event
            return _started(self._calls(tree, "update", [[message]], None))
        return self._begin(hooks.UpdateHook([message]))

    def _begin(self, event: hooks.Hook) -> Coroutine[Any, Any, None] | None:
        """As `begin_lifecycle`."""
        tree = self._present()
        if tree is None or not isinstance(event, hooks.Hook) or type(event).args is not hooks.Hook.args:
            return AddonManager.trigger_event(self._manager, event)
        return _started(self._calls(tree, event.name, event.args(), event))

    def _calls(self, tree: Tree, name: str, arguments: list[Any], event: hooks.Hook | None) -> Calls:
        """Yields what is to be awaited before the next is called. Without an event, it is an update."""
        addons = iter(tree.addons)
        # one after another, but without a step of Python for each of those that have no such handler
        handlers = filter(None, map(getattr, addons, repeat(name), repeat(None)))
        while True:
            failed = False
            try:
                for handler in handlers:
                    if callable(handler):
                        result = handler(*arguments)
                        if result is not None and inspect.isawaitable(result):
                            yield result
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
                yield self._go_on(event or hooks.UpdateHook(*arguments), tree, at, failed)
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


def dispatch_of(manager: AddonManager) -> Dispatch | None:
    """The one that is installed there."""
    owner = getattr(vars(manager).get("handle_lifecycle"), "__self__", None)
    return owner if isinstance(owner, Dispatch) else None


def _started(calls: Calls) -> Coroutine[Any, Any, None] | None:
    """None: nothing had to be waited for."""
    for first in calls:
        return _waiting(calls, first)
    return None


async def _waiting(calls: Calls, awaited: Awaitable[object]) -> None:
    while True:
        failure: BaseException | None = None
        try:
            await awaited
        except BaseException as error:
            assert error.__traceback__
            failure = error.with_traceback(error.__traceback__.tb_next)
        # not where it is caught: who is called next must not see it
        try:
            awaited = calls.throw(failure) if failure else next(calls)
        except StopIteration:
            return
        finally:
            failure = None


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


def _check(manager: AddonManager) -> None:
    if type(manager) is not AddonManager or type(manager.chain) is not list:
        raise Unfamiliar("the addon manager is of another kind")
    if changed := [name for name in REPLACED if name in vars(manager)]:
        raise Unfamiliar(f"the addon manager's {changed[0]} is replaced already")
    verify(KNOWN)
