"""Sends calls to an OTLP collector, by OpenTelemetry's SDK. Imported only where that is asked for."""

import importlib
import logging
import re
import threading
import time
from collections.abc import Sequence
from typing import Any

import requests
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState

import mitmcache
from mitmcache.journal.event import Event
from mitmcache.journal.trace import Parent
from mitmcache.logs.line import plain
from mitmcache.otel import conventions
from mitmcache.otel.plan import Plan, Protocol

logger = logging.getLogger(__name__)

THEIRS = "opentelemetry"
_URL = re.compile(r" url: \S+")
SPARING = 60.0
"""Seconds between two warnings of the same kind."""


class Exporter:
    """Neither sets nor uses the process's global providers, which may be somebody else's. Its threads are
    daemons."""

    def __init__(self, plan: Plan) -> None:
        """Raises ImportError where the exporter for gRPC, or another piece, is not installed."""
        self._latest = plan.latest
        self._words = _Sparing()
        try:
            # both, before either has threads to leave behind
            spans = _span_exporter(plan.traces) if plan.traces else None
            metrics = _metric_exporter(plan.metrics) if plan.metrics else None
        except BaseException:
            self._words.remove()
            raise
        resource = _resource()
        self._traces = TracerProvider(resource=resource, shutdown_on_exit=False) if spans else None
        if spans and self._traces:
            self._traces.add_span_processor(BatchSpanProcessor(spans))
        readers = [PeriodicExportingMetricReader(metrics)] if metrics else []
        self._metrics = MeterProvider(readers, resource, shutdown_on_exit=False) if readers else None
        self._tracer = self._traces.get_tracer("mitmcache", mitmcache.__version__) if self._traces else None
        self._instruments = self._made_instruments()

    def tell(self, events: Sequence[Event]) -> None:
        """Blocks for some microseconds each; what is sent waits, bounded, in the SDK."""
        if self._tracer:
            for event in events:
                self._span(self._tracer, event)
        if self._instruments:
            self._measure(events)

    def close(self, deadline: float) -> bool:
        """Sends what waits, for at most `deadline` seconds. Blocks. False: it was too little."""
        # with threads of their own: the SDK gives itself half a minute, and one may wait for the other
        providers = [provider for provider in (self._traces, self._metrics) if provider]
        threads = [threading.Thread(target=provider.shutdown, daemon=True) for provider in providers]
        for thread in threads:
            thread.start()
        end = time.monotonic() + deadline
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        self._words.remove()
        return not any(thread.is_alive() for thread in threads)

    def _measure(self, events: Sequence[Event]) -> None:
        # one addition for the whole batch: each takes the SDK ten microseconds
        sums: dict[tuple[str, conventions.Labels], float] = {}
        for event in events:
            for metric, value, labels in conventions.measures(event, latest=self._latest):
                if metric in conventions.COUNTED:
                    sums[metric, labels] = sums.get((metric, labels), 0) + value
                else:
                    self._instruments[metric](value, dict(labels))
        for (metric, labels), total in sums.items():
            self._instruments[metric](total, dict(labels))

    def _span(self, tracer: trace.Tracer, event: Event) -> None:
        began = int(event.began * 1e9)
        span = tracer.start_span(
            conventions.span_name(event),
            context=_context(event.parent) if event.parent else trace.set_span_in_context(trace.INVALID_SPAN),
            kind=SpanKind.CLIENT,
            attributes=conventions.span_attributes(event, latest=self._latest),
            start_time=began,
        )
        if conventions.failure(event):
            span.set_status(Status(StatusCode.ERROR, conventions.status_description(event) or None))
        span.end(began + int(max(0.0, event.duration) * 1e9))

    def _made_instruments(self) -> dict[str, Any]:
        if not self._metrics:
            return {}
        meter = self._metrics.get_meter("mitmcache", mitmcache.__version__)
        duration = meter.create_histogram(
            conventions.DURATION,
            unit="s",
            description="GenAI operation duration.",
            explicit_bucket_boundaries_advisory=conventions.DURATION_BUCKETS,
        )
        usage = meter.create_histogram(
            conventions.USAGE,
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=conventions.TOKEN_BUCKETS,
        )
        counters = {
            conventions.SAVED_TOKENS: ("{token}", "Tokens of the answers that came from the cache."),
            conventions.COST: ("{USD}", "What calls that went upstream cost."),
            conventions.SAVED_COST: ("{USD}", "What calls answered from the cache would have cost."),
        }
        made = {
            name: meter.create_counter(name, unit=unit, description=text).add
            for name, (unit, text) in counters.items()
        }
        return {conventions.DURATION: duration.record, conventions.USAGE: usage.record, **made}


class _Sparing(logging.Handler):
    """The SDK's own complaints as ours, seldom, and never as errors, which would end a proxy that starts."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._last: dict[tuple[str, str], float] = {}
        self._theirs = logging.getLogger(THEIRS)
        self._propagated = self._theirs.propagate
        self._theirs.propagate = False
        self._theirs.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        now = time.monotonic()
        # their exporters share a format: that spans cannot be sent must not hide that metrics cannot
        kind = (record.name, record.msg)
        if now - self._last.get(kind, float("-inf")) < SPARING or len(self._last) > 100:
            return
        self._last[kind] = now
        # what it quotes may be a variable's value, with a key in it, but for what an export failed of
        exporting = record.name.startswith(f"{THEIRS}.exporter.")
        said = _URL.sub(" url", record.getMessage()) if exporting else record.msg
        logger.warning("mitmcache: OpenTelemetry: %s", plain(str(said)))

    def remove(self) -> None:
        self._theirs.removeHandler(self)
        self._theirs.propagate = self._propagated


def _resource() -> Resource:
    found = Resource.create()
    named = str(found.attributes.get("service.name", ""))
    own = {"service.name": "mitmcache"} if named.startswith("unknown_service") else {}
    return Resource({"service.version": mitmcache.__version__}).merge(found).merge(Resource(own))


def _context(parent: Parent) -> Any:
    span = SpanContext(
        trace_id=int(parent.trace_id, 16),
        span_id=int(parent.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(parent.flags),
        trace_state=TraceState.from_header([parent.state]) if parent.state else TraceState(),
    )
    return trace.set_span_in_context(NonRecordingSpan(span))


def _span_exporter(protocol: Protocol) -> SpanExporter:
    if protocol == "http/protobuf":
        return OTLPSpanExporter(session=_session())
    made: SpanExporter = _over_grpc("trace_exporter").OTLPSpanExporter(channel_options=_NO_PROXY)
    return made


def _metric_exporter(protocol: Protocol) -> MetricExporter:
    if protocol == "http/protobuf":
        return OTLPMetricExporter(session=_session())
    made: MetricExporter = _over_grpc("metric_exporter").OTLPMetricExporter(channel_options=_NO_PROXY)
    return made


def _over_grpc(module: str) -> Any:
    try:
        return importlib.import_module(f"opentelemetry.exporter.otlp.proto.grpc.{module}")
    except ImportError:
        raise ImportError("gRPC needs opentelemetry-exporter-otlp-proto-grpc: pip install it") from None


_NO_PROXY = (("grpc.enable_http_proxy", 0),)


def _session() -> requests.Session:
    """The shell's proxy may well be this very proxy, and its CAs ours."""
    session = requests.Session()
    session.trust_env = False
    return session
