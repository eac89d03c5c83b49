"""Families as the text that Prometheus reads, with what prometheus_client says of process and interpreter."""

import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder, gzip_accepted
from prometheus_client.registry import Collector

from mitmcache.exchange import Headers
from mitmcache.metrics.families import Family, Histogram


def render(families: Sequence[Family], accept: str = "", accept_encoding: str = "") -> tuple[Headers, bytes]:
    """Headers and body: OpenMetrics for those who accept it, gzipped likewise. In any thread."""
    own = CollectorRegistry()
    standard = [kind(registry=own) for kind in (ProcessCollector, PlatformCollector, GCCollector)]
    encode: Callable[[Collector], bytes]
    encode, content_type = choose_encoder(accept)
    body = encode(_Snapshot(families, standard))
    headers = (("content-type", content_type), ("vary", "accept, accept-encoding"))
    if gzip_accepted(accept_encoding):
        return (*headers, ("content-encoding", "gzip")), gzip.compress(body, 6)
    return headers, body


class _Snapshot(Collector):
    def __init__(self, families: Sequence[Family], others: Iterable[Collector]) -> None:
        self._families = families
        self._others = others

    def collect(self) -> Iterator[Metric]:
        yield from map(_metric, self._families)
        for other in self._others:
            yield from other.collect()


def _metric(family: Family) -> Metric:
    if family.kind == "histogram":
        histograms = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for labels, value in family.samples:
            assert isinstance(value, Histogram)
            histograms.add_metric(labels, _buckets(value), value.sum)
        return histograms
    made = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = made(family.name, family.help, labels=family.labels)
    for labels, value in family.samples:
        assert not isinstance(value, Histogram)
        metric.add_metric(labels, value)
    return metric


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """As Prometheus has them: each counts all that is at most its bound."""
    names = [*map(str, histogram.bounds), "+Inf"]
    return [(name, float(count)) for name, count in zip(names, accumulate(histogram.counts), strict=True)]
