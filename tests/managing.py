"""An addon manager without a proxy, addons that say when they are called, and what the manager logs."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mitmproxy import addonmanager, hooks, optmanager
from mitmproxy.addonmanager import AddonManager
from mitmproxy.command import CommandManager


@dataclass
class HelloHook(hooks.Hook):
    word: Any


@dataclass
class PairHook(hooks.Hook):
    one: Any
    other: Any


class Master:
    """As much of mitmproxy's as an addon manager asks for."""

    def __init__(self) -> None:
        self.options = optmanager.OptManager()
        self.commands = CommandManager(self)
        self.addons = AddonManager(self)


def manager() -> AddonManager:
    return Master().addons


class Named:
    """An addon of a name. `addons`, where given, becomes its attribute, whatever that is."""

    def __init__(self, name: str, addons: Any = None) -> None:
        self.name = name
        if addons is not None:
            self.addons = addons

    def __repr__(self) -> str:
        return f"<{self.name}>"


class Teller(Named):
    """Notes in `heard` each `hello` that it is called for."""

    def __init__(self, name: str, heard: list[str], addons: Any = None) -> None:
        super().__init__(name, addons)
        self.heard = heard

    def hello(self, word: Any) -> None:
        self.heard.append(self.name)


class Waiter(Teller):
    async def hello(self, word: Any) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        self.heard.append(self.name)


class Doer(Teller):
    """Notes it, and then does something."""

    def __init__(self, name: str, heard: list[str], action: Callable[[], object], addons: Any = None) -> None:
        super().__init__(name, heard, addons)
        self.action = action

    def hello(self, word: Any) -> None:
        super().hello(word)
        self.action()


def added(addons: AddonManager, parent: Any, new: Any) -> None:
    """As mitmproxy's own script loader does it."""
    addons.register(new)
    parent.addons.append(new)


def given(addons: AddonManager, parent: Any, new: Any) -> None:
    """The list of its addons becomes another one."""
    parent.addons = [new]
    addons.register(new)


def nested(addons: AddonManager, parent: Any, new: Any) -> None:
    parent.addons.append(new)
    addons.register(new)


class Logged(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """Level, message, and the kind of error of each."""
        kinds = [record.exc_info[0] if record.exc_info else None for record in self.records]
        return [
            (record.levelname, record.getMessage(), kind.__name__ if kind else "")
            for record, kind in zip(self.records, kinds, strict=True)
        ]


@contextmanager
def logged() -> Iterator[Logged]:
    """What addon managers log meanwhile, and that alone."""
    handler = Logged()
    addonmanager.logger.addHandler(handler)
    try:
        yield handler
    finally:
        addonmanager.logger.removeHandler(handler)
