from pathlib import Path

from metrics.figures import count
from mitmcache import settings
from mitmcache.cache.tap import Budget
from mitmcache.journal.journal import Journal
from mitmcache.keeper import Keeper
from mitmcache.metrics.families import Family
from mitmcache.metrics.state import read
from mitmcache.reasons import Reason
from mitmcache.selection import About
from mitmcache.store.base import Entry
from mitmcache.stores import Stores
from mitmcache.tally import Tally
from store.samples import entry, key

DEFAULTS = {option.name: option.default for option in settings.OPTIONS}
WAIT = 60.0


class World:
    def __init__(self, folder: Path, **options: str) -> None:
        environ = {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}
        given = {**DEFAULTS, "llm_data_dir": str(folder), **options}
        self.stores = Stores(settings.parse(given, environ))
        self.tally, self.budget, self.journal = Tally(), Budget(1000), Journal()
        self.keeper = Keeper(self.stores.tiers, self.tally, self.budget, 1000)

    async def families(self) -> list[Family]:
        return await read(self.stores, self.keeper, self.budget, self.tally, self.journal)

    async def close(self) -> None:
        await self.keeper.close(WAIT)
        await self.stores.close(WAIT)


async def test_what_was_counted_elsewhere_is_told(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.tally.stored, world.tally.corrupt, world.journal.lost = 3, 4, 5
    world.tally.dropped[Reason.STATUS] += 2
    world.budget.take(100)
    found = await world.families()
    assert count(found, "mitmcache_answers_stored_total") == 3
    assert count(found, "mitmcache_records_corrupt_total") == 4
    assert count(found, "mitmcache_journal_lost_total") == 5
    assert count(found, "mitmcache_answers_dropped_total", reason="status") == 2
    assert count(found, "mitmcache_reply_buffer_bytes") == 100
    assert count(found, "mitmcache_reply_buffer_limit_bytes") == 1000
    await world.close()


async def test_tiers_and_what_was_done_with_them(tmp_path: Path) -> None:
    world = World(tmp_path)
    tiers = world.stores.tiers
    tiers.put(entry(1))
    assert world.stores.disk and await world.stores.disk.flush(WAIT)
    await tiers.find(key(1))
    await tiers.find(key(2))
    await tiers.memory.delete(key(1))
    await tiers.find(key(1))
    found = await world.families()
    done = {
        sample.labels: sample.value
        for family in found
        if family.name == "mitmcache_store_operations_total"
        for sample in family.samples
        if sample.value
    }
    assert done == {
        ("memory", "get", "hit"): 1,
        ("memory", "get", "miss"): 2,
        ("disk", "get", "hit"): 1,
        ("disk", "get", "miss"): 1,
        ("disk", "put", "ok"): 1,
    }
    assert count(found, "mitmcache_store_entries", tier="memory") == 0
    assert count(found, "mitmcache_store_entries", tier="disk") == 1
    size = count(found, "mitmcache_store_size_bytes", tier="disk")
    assert size and size > 1000
    assert count(found, "mitmcache_store_limit_bytes", tier="disk") == 10 << 30
    assert count(found, "mitmcache_store_up", tier="disk") == 1
    assert count(found, "mitmcache_queue_entries", queue="upload") is None
    assert "mitmcache_breaker_state" not in {family.name for family in found}
    await world.close()


async def test_a_bucket_that_is_away_is_told_of_with_what_waits_for_it(tmp_path: Path) -> None:
    world = World(tmp_path, llm_store="s3://bucket/prefix")
    world.stores.tiers.put(Entry(key(1), b"blob", about=About("openai", "api.openai.com", "m")))
    assert world.stores.disk and await world.stores.disk.flush(WAIT)
    await world.stores.tiers.find(key(2))
    found = await world.families()
    skipped = {"tier": "bucket", "operation": "get", "result": "skipped"}
    assert count(found, "mitmcache_store_operations_total", **skipped) == 1
    assert count(found, "mitmcache_queue_entries", queue="upload") == 1
    assert count(found, "mitmcache_queue_size_bytes", queue="upload")
    states = {name: count(found, "mitmcache_breaker_state", state=name) for name in ("starting", "open")}
    assert states == {"starting": 1, "open": 0}
    assert count(found, "mitmcache_uploads_paused") == 0
    assert count(found, "mitmcache_store_up", tier="bucket") == 1
    await world.close()


async def test_a_disk_that_could_not_be_opened_is_down(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    world = World(tmp_path / "file" / "data")
    found = await world.families()
    assert count(found, "mitmcache_store_up", tier="disk") == 0
    assert count(found, "mitmcache_store_up", tier="memory") == 1
    assert count(found, "mitmcache_store_entries", tier="disk") is None
    await world.close()
