"""What the stores, the keeper and the journal are like now, and what they have counted."""

from collections.abc import Iterable, Mapping

from mitmcache.cache.tap import Budget
from mitmcache.journal.journal import Journal
from mitmcache.keeper import Keeper
from mitmcache.metrics.families import Family, Kind, Sample, single
from mitmcache.store.rows import DiskStats
from mitmcache.stores import Stores
from mitmcache.tally import Tally

BREAKER = ("closed", "open", "starting")


async def read(
    stores: Stores, keeper: Keeper, budget: Budget, tally: Tally, journal: Journal
) -> list[Family]:
    """Touches no disk and no network. Of a tier that is not there, there are no samples."""
    disk = await stores.disk.stats() if stores.disk else None
    bucket = stores.bucket.statistics() if stores.bucket else {}
    uploads = stores.uploads.statistics() if stores.uploads else {}
    return [
        *_tallied(tally),
        *_tiers(stores, disk),
        _operations(stores, disk, bucket, uploads),
        *_queues(keeper, budget, journal, disk, stores),
        *_bucket(bucket, uploads),
    ]


def _tallied(tally: Tally) -> Iterable[Family]:
    yield single("mitmcache_answers_stored_total", "counter", "Answers that were kept.", tally.stored)
    yield _family(
        "mitmcache_answers_dropped_total",
        "counter",
        "Answers that were not kept, by reason.",
        ("reason",),
        {(reason.value,): count for reason, count in tally.dropped.items()},
    )
    text = "Stored records that were damaged, and removed."
    yield single("mitmcache_records_corrupt_total", "counter", text, tally.corrupt)


def _tiers(stores: Stores, disk: DiskStats | None) -> Iterable[Family]:
    memory = stores.tiers.memory
    entries = {("memory",): len(memory)}
    sizes = {("memory",): memory.bytes + memory.made_bytes}
    limits = {("memory",): memory.max_bytes}
    evicted = {("memory",): memory.evicted}
    if disk and stores.disk:
        entries["disk",], sizes["disk",] = disk.entries, disk.bytes
        limits["disk",], evicted["disk",] = stores.disk.max_bytes, disk.evicted
    down = stores.down(disk)
    up = {(tier,): tier not in down for tier in ("memory", "disk", *(["bucket"] if stores.bucket else []))}
    tier = ("tier",)
    yield _family("mitmcache_store_entries", "gauge", "Answers stored, by tier.", tier, entries)
    yield _family("mitmcache_store_size_bytes", "gauge", "Bytes stored, by tier.", tier, sizes)
    yield _family("mitmcache_store_limit_bytes", "gauge", "Bytes that a tier may take.", tier, limits)
    text = "Answers that made room for others, by tier."
    yield _family("mitmcache_store_evictions_total", "counter", text, tier, evicted)
    yield _family(
        "mitmcache_store_up", "gauge", "1: the tier works. 0: it is left alone, or fails.", tier, up
    )


def _operations(
    stores: Stores,
    disk: DiskStats | None,
    bucket: Mapping[str, int | str],
    uploads: Mapping[str, int | bool],
) -> Family:
    tiers = stores.tiers
    counts: dict[tuple[str, ...], float] = {
        ("memory", "get", "hit"): tiers.memory.hits,
        ("memory", "get", "miss"): tiers.memory.misses,
    }
    if disk:
        counts |= {
            ("disk", "get", "hit"): tiers.disk_hits,
            ("disk", "get", "miss"): tiers.disk_misses,
            ("disk", "get", "timeout"): tiers.lookup_timeout,
            ("disk", "get", "error"): tiers.lookup_failed,
            ("disk", "put", "ok"): disk.stored,
            ("disk", "put", "dropped"): disk.queue_full,
            ("disk", "put", "error"): disk.write_failed,
        }
    if bucket:
        known = {name: int(count) for name, count in bucket.items() if name != "breaker"}
        counts |= {
            ("bucket", "get", "hit"): known["hits"],
            ("bucket", "get", "miss"): known["misses"],
            ("bucket", "get", "timeout"): known["timeouts"],
            ("bucket", "get", "error"): known["failures"],
            ("bucket", "get", "skipped"): known["skipped"],
            ("bucket", "get", "unreadable"): known["unreadable"],
        }
    if uploads:
        counts |= {
            ("bucket", "put", "ok"): uploads["uploaded"],
            ("bucket", "put", "error"): uploads["failed"],
            ("bucket", "put", "skipped"): uploads["skipped"],
        }
    text = "Reads and writes of the stores, by tier and result."
    labels = ("tier", "operation", "result")
    return _family("mitmcache_store_operations_total", "counter", text, labels, counts)


def _queues(
    keeper: Keeper, budget: Budget, journal: Journal, disk: DiskStats | None, stores: Stores
) -> Iterable[Family]:
    told, held = journal.waiting
    entries, sizes = {("keeper",): keeper.waiting, ("journal",): told}, {("journal",): held}
    if disk:
        entries["disk",], sizes["disk",] = disk.queued, disk.queued_bytes
    if disk and stores.uploads:
        entries["upload",], sizes["upload",] = disk.dirty_ours, disk.dirty_ours_bytes
    text = (
        "What waits: answers to be judged (keeper), written (disk), uploaded; calls to be told of (journal)."
    )
    yield _family("mitmcache_queue_entries", "gauge", text, ("queue",), entries)
    text = "Bytes of what waits, by queue."
    yield _family("mitmcache_queue_size_bytes", "gauge", text, ("queue",), sizes)
    text = "Bytes of answers that are being heard, or wait for the keeper."
    yield single("mitmcache_reply_buffer_bytes", "gauge", text, budget.used)
    text = "Bytes that the reply buffer may take; what comes beyond is not kept."
    yield single("mitmcache_reply_buffer_limit_bytes", "gauge", text, budget.limit)
    text = "Finished calls that no figure counts, because too many waited to be told of."
    yield single("mitmcache_journal_lost_total", "counter", text, journal.lost)


def _bucket(bucket: Mapping[str, int | str], uploads: Mapping[str, int | bool]) -> Iterable[Family]:
    if bucket:
        states = {(state,): bucket["breaker"] == state for state in BREAKER}
        text = "Of the bucket's lookups: 1 in the state that it is in."
        yield _family("mitmcache_breaker_state", "gauge", text, ("state",), states)
    if uploads:
        text = "1: uploads to the bucket wait after a failure."
        yield single("mitmcache_uploads_paused", "gauge", text, uploads["paused"])


def _family[L: tuple[str, ...]](
    name: str, kind: Kind, help: str, labels: tuple[str, ...], counts: Mapping[L, float]
) -> Family:
    samples = [Sample(values, float(count)) for values, count in counts.items()]
    return Family(name, kind, help, labels, samples)
