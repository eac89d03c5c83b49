import gzip

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain

from mitmcache.metrics.exposition import render
from mitmcache.metrics.families import Family, Histogram, Sample, single

OPEN = "application/openmetrics-text"
HISTOGRAM = Histogram((0.5, 1.0))
for value in (0.25, 0.75, 5.0):
    HISTOGRAM.observe(value)
FAMILIES = [
    Family("mitmcache_a_total", "counter", "Help.", ("model",), [Sample(('"q"\\',), 2.0)]),
    Family("mitmcache_b_seconds", "histogram", "Help.", (), [Sample((), HISTOGRAM)]),
    single("mitmcache_c_bytes", "gauge", "Help.", 7),
]
SAMPLES = {
    ("mitmcache_a_total", ("model", '"q"\\')): 2.0,
    ("mitmcache_b_seconds_bucket", ("le", "0.5")): 1.0,
    ("mitmcache_b_seconds_bucket", ("le", "1.0")): 2.0,
    ("mitmcache_b_seconds_bucket", ("le", "+Inf")): 3.0,
    ("mitmcache_b_seconds_count",): 3.0,
    ("mitmcache_b_seconds_sum",): 6.0,
    ("mitmcache_c_bytes",): 7.0,
}


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/plain"),
        ("text/html", "text/plain"),
        (f"{OPEN};version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", OPEN),
    ],
)
def test_families_are_told_in_the_form_that_is_accepted(accept: str, kind: str) -> None:
    headers, body = render(FAMILIES, accept)
    assert dict(headers)["content-type"].startswith(kind)
    assert "content-encoding" not in dict(headers)
    parse = open_metrics if kind == OPEN else plain
    told = [sample for family in parse(body.decode()) for sample in family.samples]
    found = {(one.name, *one.labels.items()): one.value for one in told if one.name.startswith("mitmcache_")}
    assert found == SAMPLES


def test_process_and_interpreter_are_told_of_too() -> None:
    _, body = render([])
    names = {family.name for family in plain(body.decode())}
    assert "python_info" in names and "python_gc_collections" in names


def test_who_accepts_gzip_gets_it() -> None:
    headers, body = render(FAMILIES, "", "br, gzip;q=1.0")
    assert dict(headers)["content-encoding"] == "gzip"
    assert b"mitmcache_c_bytes 7.0" in gzip.decompress(body)
