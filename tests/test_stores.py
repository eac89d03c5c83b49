"""What a real bucket behind them does is tested end to end."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from mitmcache import settings
from mitmcache import stores as module
from mitmcache.purge.purger import KNOWN
from mitmcache.selection import About, Selection
from mitmcache.store.base import Entry
from mitmcache.stores import Stores
from store.samples import key

DEFAULTS = {option.name: option.default for option in settings.OPTIONS}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is slow to write is none of what is tested here."""
    monkeypatch.setattr(module, "FLUSH", 60.0)


def stores(folder: Path, **options: str) -> Stores:
    environ = {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}
    return Stores(settings.parse({**DEFAULTS, "llm_data_dir": str(folder), **options}, environ))


def entry(model: str) -> Entry:
    return Entry(key(model), b"blob", about=About("openai", "api.openai.com", model))


async def test_without_a_bucket_nothing_is_uploaded(tmp_path: Path) -> None:
    made = stores(tmp_path)
    assert (made.bucket, made.uploads) == (None, None)
    made.start()
    assert made.tiers.put(entry("a"))
    found = await made.statistics()
    assert (found["entries"], found["stored"], found["upload_pending"]) == (1, 1, 0)
    assert "bucket" not in found
    await made.close(5)


async def test_with_a_bucket_that_is_away_answers_wait_on_the_disk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = stores(tmp_path, llm_store="s3://bucket/prefix")
    made.tiers.put(entry("a"))
    found = await made.statistics()
    assert (found["stored"], found["upload_pending"]) == (1, 1)
    await made.close(0.1)
    again = stores(tmp_path, llm_store="s3://bucket/prefix")
    assert (await again.statistics())["upload_pending"] == 1
    await again.close(0.1)


async def test_without_a_disk_memory_serves_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    made = stores(tmp_path / "file" / "data", llm_store="s3://bucket/prefix")
    assert made.disk is None and made.uploads is None
    assert "memory alone, and nothing is uploaded" in caplog.text
    assert made.tiers.put(entry("a"))
    assert await made.tiers.find(key("a"))
    await made.close(0.1)


async def test_a_purge_removes_from_the_disk_what_it_makes_a_miss(tmp_path: Path) -> None:
    made = stores(tmp_path)
    for model in ("a-1", "a-2", "b"):
        made.tiers.put(entry(model))
    assert await made.purge(Selection(model="a-*")) == 2
    assert not made.purger.valid(key("a-1"), entry("a-1").about)
    assert made.purger.valid(key("b"), entry("b").about)
    assert (await made.statistics())["entries"] == 1
    await made.close(5)


async def test_what_was_purged_is_known_before_anything_is_served(tmp_path: Path) -> None:
    first = stores(tmp_path)
    await first.purge(Selection(model="a-*"))
    await first.close(5)
    again = stores(tmp_path)
    assert not again.purger.valid(key("a-1"), entry("a-1").about)
    assert again.purger.valid(key("b"), entry("b").about)
    await again.close(5)


async def test_nothing_is_served_while_it_is_not_known_what_was_purged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Closed: what may have been purged is not given to anybody."""
    first = stores(tmp_path)
    assert first.disk
    await first.disk.remember(KNOWN, b'{"version": 99}')
    await first.close(5)
    again = stores(tmp_path)
    assert not again.purger.valid(key("b"), entry("b").about)
    assert [line.levelno for line in caplog.records] == [logging.WARNING]
    assert "nothing is served from the cache for now" in caplog.text
    await again.close(5)


async def test_which_tiers_are_down(tmp_path: Path) -> None:
    made = stores(tmp_path, llm_store="s3://bucket/prefix")
    assert made.disk and made.bucket
    stats = await made.disk.stats()
    assert made.down(stats) == frozenset()
    assert made.down(None) == {"disk"}
    assert made.down(replace(stats, failing=True)) == {"disk"}
    made.bucket._breaker.trip(0.0)
    assert made.down(stats) == {"bucket"}
    await made.close(0.1)
