import importlib.util
import os
from collections.abc import Iterator

import pytest

from addons.conftest import MakeRig
from addons.flows import Rig, flow_of, reply_of
from exchanges.openai import CHAT
from mitmcache.addons.journaling import Journaling
from mitmcache.addons.telemetry import MISSING, Telemetry
from otel.collector import Collector

DEADLINE = 60.0


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the developer's own."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


async def ended(rig: Rig) -> bool:
    await rig.get(Journaling).journal.flush(DEADLINE)
    closing = rig.get(Telemetry).done()
    return bool(closing and await closing)


async def test_calls_are_sent_where_the_variables_say(
    make_rig: MakeRig, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    rig = make_rig()
    rig.get(Telemetry).running()
    asked = flow_of(CHAT, traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    await rig.call(asked, reply_of(CHAT))
    await rig.call(flow_of(CHAT))
    assert await ended(rig)
    missed, hit = collector.spans
    assert missed.trace_id.hex() == "a" * 32 and hit.trace_id.hex() != "a" * 32
    assert asked.request.headers["traceparent"] == f"00-{'a' * 32}-{'b' * 16}-01"
    assert sum(point.times for point in collector.points("gen_ai.client.token.usage")) == 2


async def test_without_the_variables_nothing_listens(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.get(Telemetry).running()
    await rig.call(flow_of(CHAT), reply_of(CHAT))
    assert not await ended(rig) and not caplog.records


async def test_a_missing_extra_is_one_warning_that_names_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")

    def find_spec(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    rig.get(Telemetry).running()
    await rig.call(flow_of(CHAT), reply_of(CHAT))
    assert not await ended(rig)
    assert [record.message for record in caplog.records] == [MISSING] and "mitmcache[otel]" in MISSING


async def test_what_cannot_be_is_told_at_the_start_and_calls_go_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "prometheus")
    rig.get(Telemetry).running()
    await rig.call(flow_of(CHAT), reply_of(CHAT))
    assert await ended(rig)
    said = [record.message for record in caplog.records]
    assert len(said) == 2 and "OTEL_METRICS_EXPORTER: 'prometheus'" in said[0]
    assert "opentelemetry-exporter-otlp-proto-grpc" in said[1]
