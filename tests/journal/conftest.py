"""A history in a folder of its own, closed at the end of the test."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest_asyncio

from journal.events import event
from mitmcache.exchange import Usage
from mitmcache.journal.event import Cost
from mitmcache.journal.history import History

DEADLINE = 60.0
NOW = 1_000_000.0
FULL = event(began=NOW - 10, usage=Usage(10, 5), cost=Cost(1, 1, 2, 0))

type Make = Callable[..., History]


@pytest_asyncio.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    made: list[History] = []

    def history(folder: Path = tmp_path, kept: float = 86400.0, most: int = 1000) -> History:
        made.append(History(folder, kept, now=lambda: NOW, most=most))
        return made[-1]

    yield history
    for each in made:
        await each.close(DEADLINE)


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def ids(history: History) -> list[str]:
    return [each.event.id for each in await history.recent()]
