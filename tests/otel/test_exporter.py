import logging
import os
import threading
import time
from collections.abc import Iterator

import pytest

import mitmcache
from journal.events import event
from mitmcache.exchange import Usage
from mitmcache.journal.event import Cost, Event
from mitmcache.journal.trace import Parent
from mitmcache.otel import conventions
from mitmcache.otel.exporter import Exporter
from mitmcache.otel.plan import plan
from otel.collector import Collector, attributes

DEADLINE = 60.0
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
REMOTE = 0x300
"""Flags of a span whose parent is known to be another process's."""
USED, COST = Usage(input_tokens=11, output_tokens=7), Cost(0.1, 0.2, 0.3, 0.0)
MISS = event(usage=USED, cost=COST, port=443)
HIT = event(word="HIT", reason="", tier="memory", dialled=False, usage=USED, cost=COST, port=443)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the developer's own."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        yield running


def exporter() -> Exporter:
    return Exporter(plan(os.environ))


def send(*events: Event) -> None:
    made = exporter()
    made.tell(events)
    assert made.close(DEADLINE)


def test_a_call_is_a_client_span_with_its_own_times(collector: Collector) -> None:
    send(MISS, event(status=0, error="Connection refused", model=""))
    span, failed = collector.spans
    assert (span.name, span.kind, span.status.code) == ("chat gpt-4o", span.SPAN_KIND_CLIENT, 0)
    began = 1_000_000 * 10**9
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (began, began + 500_000_000)
    assert attributes(span.attributes) == conventions.span_attributes(MISS, latest=False)
    assert not span.parent_span_id
    assert (failed.name, failed.status.code, failed.status.message) == ("chat", 2, "Connection refused")


def test_the_callers_span_is_the_parent(collector: Collector) -> None:
    send(event(parent=Parent(TRACE, SPAN, 1, "a=1,b=2")), event(parent=Parent(TRACE, SPAN, 0, "")), event())
    child, own = collector.spans  # the caller does not want the second
    assert (child.trace_id.hex(), child.parent_span_id.hex()) == (TRACE, SPAN)
    assert (child.trace_state, child.flags & REMOTE) == ("a=1,b=2", REMOTE)
    assert own.trace_id.hex() != TRACE and not own.parent_span_id


def test_a_hit_adds_nothing_to_the_billed_tokens(collector: Collector) -> None:
    send(MISS, HIT, HIT)
    billed = collector.points("gen_ai.client.token.usage")
    kinds = {point.attributes["gen_ai.token.type"]: point for point in billed}
    assert {kind: (point.total, point.times) for kind, point in kinds.items()} == {
        "input": (11, 1),
        "output": (7, 1),
    }
    assert {point.attributes["mitmcache.cache.word"] for point in billed} == {"MISS"}
    assert kinds["input"].bounds == conventions.TOKEN_BUCKETS
    saved = collector.points("mitmcache.token.saved")
    assert {point.attributes["gen_ai.token.type"]: point.total for point in saved} == {
        "input": 22,
        "output": 14,
    }
    assert [point.total for point in collector.points("mitmcache.cost.billed")] == [pytest.approx(0.3)]
    assert [point.total for point in collector.points("mitmcache.cost.saved")] == [pytest.approx(0.6)]


def test_durations_have_the_buckets_of_the_convention(collector: Collector) -> None:
    send(MISS, HIT, event(status=500))
    points = collector.points("gen_ai.client.operation.duration")
    assert {point.bounds for point in points} == {conventions.DURATION_BUCKETS}
    assert sum(point.times for point in points) == 3
    assert {point.attributes.get("error.type") for point in points} == {None, "500"}


RESOURCES = [
    ("by default", {}, "mitmcache"),
    ("named by its variable", {"OTEL_SERVICE_NAME": "theirs"}, "theirs"),
    ("named as an attribute", {"OTEL_RESOURCE_ATTRIBUTES": "service.name=other,team=a"}, "other"),
]


@pytest.mark.parametrize(("more", "name"), [pytest.param(*case[1:], id=case[0]) for case in RESOURCES])
def test_the_service_is_named_as_its_owner_wants(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, more: dict[str, str], name: str
) -> None:
    for variable, value in more.items():
        monkeypatch.setenv(variable, value)
    send(MISS)
    for resource in collector.resources:
        assert resource["service.name"] == name
        assert resource["service.version"] == mitmcache.__version__
        assert resource.get("team") == ("a" if "RESOURCE" in str(more) else None)


VARIABLES = [
    ("the sampler", {"OTEL_TRACES_SAMPLER": "always_off"}, 0, True),
    ("no traces", {"OTEL_TRACES_EXPORTER": "none"}, 0, True),
    ("no metrics", {"OTEL_METRICS_EXPORTER": "none"}, 1, False),
    ("headers", {"OTEL_EXPORTER_OTLP_HEADERS": "x-team=a"}, 1, True),
]


@pytest.mark.parametrize(
    ("more", "spans", "metrics"), [pytest.param(*case[1:], id=case[0]) for case in VARIABLES]
)
def test_the_sdks_variables_count(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, more: dict[str, str], spans: int, metrics: bool
) -> None:
    for variable, value in more.items():
        monkeypatch.setenv(variable, value)
    send(MISS)
    assert (len(collector.spans), bool(collector.points(conventions.DURATION))) == (spans, metrics)
    assert all(headers.get("x-team") == "a" for headers in collector.headers) or "HEADERS" not in str(more)


def test_what_is_sent_never_goes_through_the_shells_proxy(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    send(MISS)
    assert len(collector.spans) == 1


def test_a_collector_that_does_not_answer_holds_nobody_up(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")
    before = set(threading.enumerate())
    collector.hold = threading.Event()
    made = exporter()
    made.tell([MISS])
    began = time.monotonic()
    assert not made.close(0.2)
    assert time.monotonic() - began < DEADLINE / 2
    collector.hold.set()
    # else they would complain while the next test listens
    for thread in set(threading.enumerate()) - before:
        thread.join(DEADLINE)


def test_its_complaints_are_ours_seldom_and_name_no_key(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    collector.status = 400
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "sk-no-equals-sign")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    send(*[MISS] * 5)
    ours = [record for record in caplog.records if record.name.startswith("mitmcache")]
    for sent in ("spans", "metrics"):
        assert len([record for record in ours if f"Failed to export {sent} batch" in record.message]) == 1
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert {record.name.partition(".")[0] for record in caplog.records} == {"mitmcache"}
    assert "sk-no" not in caplog.text
    theirs = logging.getLogger("opentelemetry")
    assert theirs.propagate and not theirs.handlers


def test_grpc_without_its_exporter_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImportError, match="opentelemetry-exporter-otlp-proto-grpc"):
        Exporter(plan({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}))
    assert logging.getLogger("opentelemetry").propagate
