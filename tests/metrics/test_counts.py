import pytest

from journal.events import event
from metrics.figures import count, observed
from mitmcache.exchange import Usage
from mitmcache.journal.event import Cost, Event
from mitmcache.metrics.counts import MOST_SERIES, Counts
from mitmcache.metrics.models import MOST, OTHER, Models

USED = Usage(
    input_tokens=100,
    output_tokens=20,
    cache_read_input_tokens=60,
    cache_creation_input_tokens=10,
    reasoning_output_tokens=5,
)
COST = Cost(0.25, 0.5, 0.75, 0.0)
HIT = {"word": "HIT", "reason": "", "tier": "memory", "dialled": False}
OF = {"provider": "openai", "model": "gpt-4o"}


def counted(*events: Event) -> Counts:
    counts = Counts()
    counts(events)
    return counts


REQUESTS = [
    ("a miss", {}, ("gpt-4o", "200", "MISS", "uri-miss")),
    ("a hit", HIT, ("gpt-4o", "200", "HIT", "")),
    ("a bypass", {"word": "BYPASS", "reason": "store"}, ("gpt-4o", "200", "BYPASS", "store")),
    ("no answer at all", {"status": 0, "error": "gone"}, ("other", "none", "MISS", "uri-miss")),
    ("a refusal of a model never heard of", {"status": 404}, ("other", "404", "MISS", "uri-miss")),
    ("a status that is none", {"status": 999}, ("other", "other", "MISS", "uri-miss")),
    ("no model", {"model": ""}, ("none", "200", "MISS", "uri-miss")),
]


@pytest.mark.parametrize(("changes", "labels"), [pytest.param(*case[1:], id=case[0]) for case in REQUESTS])
def test_a_call_is_counted_by_model_status_word_and_reason(
    changes: dict[str, object], labels: tuple[str, ...]
) -> None:
    [family] = [
        each for each in counted(event(**changes)).families() if each.name == "mitmcache_requests_total"
    ]
    assert family.labels == ("provider", "model", "status", "cache", "reason")
    assert [(sample.labels, sample.value) for sample in family.samples] == [(("openai", *labels), 1)]


def test_tokens_and_dollars_go_to_their_ledgers() -> None:
    miss, hit = event(usage=USED, cost=COST), event(usage=USED, cost=COST, **HIT)
    families = counted(miss, hit, hit).families()
    for ledger, times in (("billed", 1), ("saved", 2), ("served", 3)):
        for kind, tokens in (
            ("input", 100),
            ("output", 20),
            ("input_cache_read", 60),
            ("input_cache_creation", 10),
            ("output_reasoning", 5),
        ):
            assert count(families, "mitmcache_tokens_total", ledger=ledger, kind=kind, **OF) == tokens * times
        assert count(families, "mitmcache_cost_dollars_total", ledger=ledger, **OF) == 0.75 * times
        assert count(families, "mitmcache_unpriced_requests_total", ledger=ledger, **OF) is None


def test_an_unknown_price_is_counted_and_is_no_zero() -> None:
    families = counted(event(usage=USED)).families()
    assert count(families, "mitmcache_cost_dollars_total", ledger="billed", **OF) is None
    for ledger in ("billed", "served"):
        assert count(families, "mitmcache_unpriced_requests_total", ledger=ledger, **OF) == 1


def test_a_kind_of_tokens_that_nobody_used_is_not_there() -> None:
    families = counted(event(usage=Usage(input_tokens=1, output_tokens=0))).families()
    assert count(families, "mitmcache_tokens_total", ledger="billed", kind="output", **OF) is None


NOT_SERVED = [
    ("a stream that broke off is billed", {"error": "gone"}, 1),
    ("a refusal is not", {"status": 429}, None),
    ("nor is a miss offline", {"status": 504, "dialled": False}, None),
]


@pytest.mark.parametrize(("changes", "billed"), [pytest.param(*case[1:], id=case[0]) for case in NOT_SERVED])
def test_what_was_not_served(changes: dict[str, object], billed: int | None) -> None:
    families = counted(event(**changes)).families()
    name = "mitmcache_unpriced_requests_total"
    assert count(families, name, ledger="billed", **OF) == billed
    assert count(families, name, ledger="served", **OF) is None


def test_latencies_of_a_miss() -> None:
    families = counted(
        event(received=0.5, decided=0.25, first_byte=1.5, duration=2.0),
    ).families()
    assert observed(families, "mitmcache_added_latency_seconds", cache="MISS") == (1, 0.25)
    assert observed(families, "mitmcache_upstream_duration_seconds", provider="openai") == (1, 1.25)
    name = "mitmcache_time_to_first_byte_seconds"
    assert observed(families, name, cache="MISS", provider="openai") == (1, 1.0)
    assert observed(families, "mitmcache_hit_duration_seconds", tier="memory") == (0, 0.0)


def test_latencies_of_a_hit() -> None:
    families = counted(event(duration=0.5, decided=0.25, first_byte=None, **HIT)).families()
    assert observed(families, "mitmcache_hit_duration_seconds", tier="memory") == (1, 0.5)
    assert observed(families, "mitmcache_upstream_duration_seconds", provider="openai") == (0, 0.0)
    name = "mitmcache_time_to_first_byte_seconds"
    assert observed(families, name, cache="HIT", provider="openai") == (0, 0.0)


def test_a_call_that_got_no_answer_has_no_upstream_latency() -> None:
    families = counted(event(status=0, error="gone", first_byte=None)).families()
    assert observed(families, "mitmcache_upstream_duration_seconds", provider="openai") == (0, 0.0)


@pytest.mark.parametrize("status", [200, 404])
def test_any_number_of_names_makes_only_so_many_series(status: int) -> None:
    calls = [event(model=f"m{n}", status=status, usage=USED, cost=COST) for n in range(10_000)]
    families = counted(*calls).families()
    most = (MOST + 1) * 10 if status == 200 else 10
    assert all(len(family.samples) <= most for family in families)
    of_others = {"provider": "openai", "model": OTHER, "cache": "MISS", "reason": "uri-miss"}
    others = count(families, "mitmcache_requests_total", status=str(status), **of_others)
    assert others == (10_000 - MOST if status == 200 else 10_000)


def test_labels_of_all_kinds_together_make_only_so_many_series() -> None:
    counts = Counts(Models(most=10**6), most_series=20)
    counts([event(model=f"m{n}", provider=f"p{n}", usage=USED, cost=COST) for n in range(100)])
    families = {family.name: family for family in counts.families()}
    requests = families["mitmcache_requests_total"].samples
    assert len(requests) == 21 and requests[-1] == ((OTHER,) * 5, 80)
    assert len(families["mitmcache_cost_dollars_total"].samples) == 20 + 2
    assert MOST_SERIES < 10_000


def test_a_snapshot_does_not_go_on() -> None:
    counts = counted(event())
    before = counts.families()
    counts([event()])
    assert observed(before, "mitmcache_added_latency_seconds", cache="MISS")[0] == 1
