"""An OTLP collector: takes what is sent by HTTP and keeps it, decoded."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Point(NamedTuple):
    """`total` is the sum of what was recorded, in so many `times`; of a counter 0."""

    attributes: dict[str, Any]
    total: float
    times: int
    bounds: tuple[float, ...]


class Collector:
    """On a port of its own, in threads. `status` is what it answers; `hold` makes it wait before that."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.hold: threading.Event | None = None
        self.headers: list[dict[str, str]] = []
        self._lock = threading.Lock()
        self._traces: list[ExportTraceServiceRequest] = []
        self._metrics: list[ExportMetricsServiceRequest] = []
        self._raw: list[bytes] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def raw(self) -> bytes:
        with self._lock:
            return b"".join(self._raw)

    @property
    def spans(self) -> list[Span]:
        with self._lock:
            return [
                span
                for each in self._traces
                for resource in each.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            ]

    @property
    def resources(self) -> list[dict[str, Any]]:
        with self._lock:
            sent = [each.resource for request in self._traces for each in request.resource_spans]
            sent += [each.resource for request in self._metrics for each in request.resource_metrics]
        return [attributes(resource.attributes) for resource in sent]

    def points(self, name: str) -> list[Point]:
        """Of the metric, as last sent; cumulative since the start."""
        with self._lock:
            last = self._metrics[-1:]
        found = [
            metric
            for each in last
            for resource in each.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
        ]
        histograms = [
            Point(attributes(each.attributes), each.sum, each.count, tuple(each.explicit_bounds))
            for metric in found
            for each in metric.histogram.data_points
        ]
        counters = [
            Point(attributes(each.attributes), each.as_double or each.as_int, 0, ())
            for metric in found
            for each in metric.sum.data_points
        ]
        return histograms + counters

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.hold:
            self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        with self._lock:
            self.headers.append(headers)
            self._raw.append(body)
            if path == "/v1/traces":
                self._traces.append(ExportTraceServiceRequest.FromString(body))
            elif path == "/v1/metrics":
                self._metrics.append(ExportMetricsServiceRequest.FromString(body))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if collector.hold:
                    collector.hold.wait(100)
                if collector.status == 200:
                    named = {name.lower(): value for name, value in self.headers.items()}
                    collector._take(self.path, named, body)
                self.send_response(collector.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None: ...

        return Handler


def attributes(pairs: Any) -> dict[str, Any]:
    def value(pair: KeyValue) -> Any:
        kind = pair.value.WhichOneof("value")
        return getattr(pair.value, kind) if kind else None

    return {pair.key: value(pair) for pair in pairs}
