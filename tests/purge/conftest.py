from collections.abc import AsyncIterator
from typing import Any

import pytest

from mitmcache.purge import purger as module
from mitmcache.purge.purger import Purger
from mitmcache.store.location import Location
from mitmcache.store.s3 import Objects
from mitmcache.store.seal import Seal
from purge.purging import Open
from s3.server import S3Server


@pytest.fixture
def real(s3_server: S3Server, bucket: str) -> Objects:
    return Objects(Location(bucket, "a/prefix", s3_server.endpoint, "us-east-1"), s3_server.environ)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is looked at more often."""
    monkeypatch.setattr(module, "LOOK", 0.01)


@pytest.fixture
async def make() -> AsyncIterator[Open]:
    made: list[Purger] = []

    def open_one(disk: Any, bucket: Any = None, seal: Seal | None = None, *, at: float = 1.0) -> Purger:
        made.append(Purger(disk, bucket, seal, poll=0.01, now=lambda: at))
        return made[-1]

    yield open_one
    for purger in made:
        await purger.close()
