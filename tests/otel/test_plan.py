import pytest

from mitmcache.otel.plan import plan

HTTP, GRPC = "http/protobuf", "grpc"
ALL, TRACES, METRICS = (f"OTEL_EXPORTER_OTLP_{kind}ENDPOINT" for kind in ("", "TRACES_", "METRICS_"))
URL = "http://collector:4318"

PLANS = [
    ("nothing is set", {}, None, None),
    ("an endpoint for all", {ALL: URL}, HTTP, HTTP),
    ("an endpoint that is empty", {ALL: ""}, None, None),
    ("an endpoint for traces", {TRACES: URL}, HTTP, None),
    ("an endpoint for metrics", {METRICS: URL}, None, HTTP),
    ("an exporter for traces", {"OTEL_TRACES_EXPORTER": "otlp"}, HTTP, None),
    ("an exporter for metrics", {"OTEL_METRICS_EXPORTER": " OTLP "}, None, HTTP),
    ("no exporter for metrics", {ALL: URL, "OTEL_METRICS_EXPORTER": "none"}, HTTP, None),
    ("disabled", {ALL: URL, "OTEL_SDK_DISABLED": "True"}, None, None),
    ("not disabled", {ALL: URL, "OTEL_SDK_DISABLED": "1"}, HTTP, HTTP),
    ("by gRPC", {ALL: URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, GRPC, GRPC),
    (
        "each its own",
        {ALL: URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": HTTP},
        HTTP,
        GRPC,
    ),
    (
        "a variable that is not about this",
        {"OTEL_SERVICE_NAME": "a", "OTEL_LOGS_EXPORTER": "otlp"},
        None,
        None,
    ),
]


@pytest.mark.parametrize(
    ("environ", "traces", "metrics"), [pytest.param(*case[1:], id=case[0]) for case in PLANS]
)
def test_what_the_variables_ask_for(environ: dict[str, str], traces: str | None, metrics: str | None) -> None:
    found = plan(environ)
    assert (found.traces, found.metrics, found.complaints) == (traces, metrics, ())
    assert found.active == bool(traces or metrics)


COMPLAINTS = [
    ({"OTEL_TRACES_EXPORTER": "zipkin"}, None, "OTEL_TRACES_EXPORTER: 'zipkin' is not supported"),
    ({"OTEL_TRACES_EXPORTER": "otlp,console"}, HTTP, "OTEL_TRACES_EXPORTER: 'console' is not supported"),
    (
        {ALL: URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
        None,
        "OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json'",
    ),
]


@pytest.mark.parametrize(("environ", "traces", "complaint"), COMPLAINTS)
def test_what_cannot_be_is_named(environ: dict[str, str], traces: str | None, complaint: str) -> None:
    found = plan(environ)
    assert found.traces == traces and found.complaints[0].startswith(complaint)


@pytest.mark.parametrize(
    ("said", "latest"),
    [
        ("", False),
        ("http", False),
        ("gen_ai_latest_experimental", True),
        ("http/dup, gen_ai_latest_experimental", True),
    ],
)
def test_the_newest_conventions_are_opted_into(said: str, latest: bool) -> None:
    assert plan({"OTEL_SEMCONV_STABILITY_OPT_IN": said}).latest is latest
