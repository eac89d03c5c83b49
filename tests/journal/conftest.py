"""A history in a folder of its own, or its database alone, closed at the end of the test."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from journal.events import event
from mitmcache.exchange import Usage
from mitmcache.journal.event import Cost, Event
from mitmcache.journal.history import History
from mitmcache.journal.history_rows import keep
from mitmcache.journal.history_tables import open_history
from mitmcache.store.schema import transaction

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


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_history(tmp_path)) as made:
        yield made


def add(db: sqlite3.Connection, *events: Event) -> None:
    with transaction(db):
        keep(db, events)


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def ids(history: History) -> list[str]:
    return [each.event.id for each in await history.recent()]
