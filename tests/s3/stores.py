"""Stores of the bucket, for their tests: behind the proxy that does it harm."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from mitmcache.selection import About
from mitmcache.store.base import Entry, Staged, StoreError
from mitmcache.store.location import parse
from mitmcache.store.names import Names
from mitmcache.store.r2 import R2Store
from mitmcache.store.seal import Seal
from s3.faults import Fault, FaultProxy
from s3.server import environ

ABOUT = About("openai", "api.openai.com", "gpt-5")
DEADLINE = 100.0
"""Seconds for a lookup: far more than one takes, since a busy machine may be slow too."""
SHORT = 0.5
"""Seconds for one that is not to be answered in time."""
KEYS = [f"{number:064x}" for number in range(100)]
KEY = KEYS[0]

type Open = Callable[..., Awaitable[R2Store]]


@asynccontextmanager
async def opening(place: str, faults: FaultProxy, staging: Path) -> AsyncIterator[Open]:
    """Gives what opens a store, and waits until it is ready unless told not to; closes them at the end."""
    stores: list[R2Store] = []
    numbers = iter(range(1000))
    _make(staging)

    async def open_one(
        *,
        seal: Seal | None = None,
        deadline: float = DEADLINE,
        ready: bool = True,
        at: str = place,
        **more: str,
    ) -> R2Store:
        variables = environ(faults.endpoint, **more)
        store = R2Store(
            parse(at, variables),
            Names(seal),
            seal,
            deadline=deadline,
            stage=lambda: staging / str(next(numbers)),
            environ=variables,
        )
        stores.append(store)
        store.start()
        if ready:
            await until(lambda: store.ready)
        return store

    try:
        yield open_one
    finally:
        faults.behave(Fault.REFUSE)  # ends what hangs
        for store in stores:
            await store.close(60)


@contextmanager
def in_a_hurry(store: R2Store) -> Iterator[None]:
    """Its lookups are given up soon."""
    store._deadline, before = SHORT, store._deadline
    try:
        yield
    finally:
        store._deadline = before


def _make(folder: Path) -> None:
    folder.mkdir()


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - it comes from other threads, which know of no event
        await asyncio.sleep(0.01)


def entry(key: str = KEY, blob: bytes | Staged = b"a record") -> Entry:
    return Entry(key, blob, about=ABOUT)


async def failures(store: R2Store, count: int) -> list[StoreError]:
    """What so many lookups, one after the other, raise."""
    raised = []
    for key in KEYS[:count]:
        with pytest.raises(StoreError) as caught:
            await store.get(key, ABOUT)
        raised.append(caught.value)
    return raised
