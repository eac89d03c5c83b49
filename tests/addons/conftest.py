"""The pipeline on a folder of its own, on both kinds of event loop."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest
import pytest_asyncio

from addons.flows import Rig
from made import NOW
from mitmcache.store.base import StoreError
from mitmcache.store.tiers import Tiers

type MakeRig = Callable[..., Rig]


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The wall clock, for the test to set."""
    made = Clock()
    monkeypatch.setattr(time, "time", made)
    return made


@pytest_asyncio.fixture(params=[asyncio.eager_task_factory, None], ids=["eager", "plain"])
async def make_rig(request: pytest.FixtureRequest, clock: Clock, tmp_path: Path) -> AsyncIterator[MakeRig]:
    """Makes pipelines that end with the test. mitmproxy's loop starts tasks eagerly; others' do not."""
    asyncio.get_running_loop().set_task_factory(request.param)
    made: list[Rig] = []

    def make(folder: Path = tmp_path, **options: str) -> Rig:
        made.append(Rig(folder, **options))
        return made[-1]

    yield make
    for rig in made:
        await rig.close()


@pytest_asyncio.fixture
async def rig(make_rig: MakeRig) -> Rig:
    return make_rig()


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every lookup in the store fails."""

    async def find(self: Tiers, *args: object) -> NoReturn:
        raise StoreError("no such thing")

    monkeypatch.setattr(Tiers, "find", find)
