"""A keeper with all that it works with, and replies to offer it."""

import asyncio
import threading
from dataclasses import replace
from typing import NoReturn

from made import CALL, DIALECT, JSON, NOW, read
from mitmcache.cache import key as keys
from mitmcache.cache.likeness import Likeness
from mitmcache.cache.tap import Budget
from mitmcache.exchange import Call, Reply
from mitmcache.keeper import Candidate, Keeper
from mitmcache.providers.base import Json
from mitmcache.reasons import Reason
from mitmcache.store.base import Entry, StoreError
from mitmcache.tally import Tally

ANSWER = b'{"answer":"yes"}'
DEADLINE = 60.0
"""Seconds; only a test that fails waits so long."""


class Shelf:
    """A Store that keeps everything, or refuses, or fails."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.room = True
        self.fails = False

    async def get(self, key: str) -> bytes | None:
        return self.blob(key) if key in self.entries else None

    def blob(self, key: str) -> bytes:
        blob = self.entries[key].blob
        assert isinstance(blob, bytes)
        return blob

    def put(self, entry: Entry) -> bool:
        if self.fails:
            raise StoreError("broken")
        if self.room:
            self.entries[entry.key] = entry
        return self.room

    async def delete(self, key: str) -> None:
        self.entries.pop(key, None)

    async def close(self, deadline: float) -> None:
        self.entries.clear()


class Bench:
    """A keeper with all that it works with."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.tally = Tally()
        self.budget = Budget(10_000)
        self.keeper = Keeper(self.shelf, self.tally, self.budget, 1000)

    def offer(self, made: Candidate) -> Candidate:
        """Offers it as Capture does: what it holds is taken from the budget first."""
        assert self.budget.take(made.charged)
        self.keeper.offer(made)
        return made

    async def done(self) -> None:
        await self.keeper.drain(DEADLINE)


class Gate:
    """A judge that waits for a word from the test; it works in the keeper's thread."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def judge(self, document: Json) -> Reason | None:
        self.reached.set()
        assert self.opened.wait(DEADLINE)
        return None

    async def wait(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, DEADLINE)


def candidate(name: str = "a", made: Call = CALL, body: bytes = ANSWER, **changes: object) -> Candidate:
    made_body = read(made)
    plain = Candidate(
        key=keys.digest((("name", name.encode()),)),
        call=made,
        model="m-1",
        likeness=Likeness(keys.ingredients(made, made_body, "scope"), made_body, b"s" * 32),
        reply=Reply(200, (*JSON, ("set-cookie", "a=1")), body),
        created=NOW,
        expires=NOW + 60,
        charged=len(body),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def judged_by(judge: object, **changes: object) -> Candidate:
    return candidate(made=replace(CALL, dialect=replace(DIALECT, judge=judge)), **changes)  # type: ignore[arg-type]


def fail(document: Json) -> NoReturn:
    raise RuntimeError("no such thing")
