"""What OpenTelemetry's own variables ask for. Pure: variables in, a plan out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

type Signal = Literal["traces", "metrics"]
type Protocol = Literal["http/protobuf", "grpc"]

SIGNALS: tuple[Signal, ...] = ("traces", "metrics")
LATEST = "gen_ai_latest_experimental"


@dataclass(frozen=True, slots=True)
class Plan:
    """`complaints`: what was asked for and cannot be, each naming its variable. `latest`: the GenAI
    conventions in their newest form, not in that of version 1.36."""

    traces: Protocol | None
    metrics: Protocol | None
    latest: bool
    complaints: tuple[str, ...]

    @property
    def active(self) -> bool:
        return bool(self.traces or self.metrics)


def plan(environ: Mapping[str, str]) -> Plan:
    """An exporter or an endpoint that is set is what makes a signal be sent; empty is as good as unset."""
    complaints: list[str] = []
    chosen: dict[Signal, Protocol | None] = dict.fromkeys(SIGNALS)
    if _value(environ, "OTEL_SDK_DISABLED").lower() != "true":
        chosen = {signal: _protocol(environ, signal, complaints) for signal in SIGNALS}
    opted = _value(environ, "OTEL_SEMCONV_STABILITY_OPT_IN").split(",")
    return Plan(
        traces=chosen["traces"],
        metrics=chosen["metrics"],
        latest=LATEST in [word.strip() for word in opted],
        complaints=tuple(complaints),
    )


def _protocol(environ: Mapping[str, str], signal: Signal, complaints: list[str]) -> Protocol | None:
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    exporters = [word for part in _value(environ, variable).split(",") if (word := part.strip().lower())]
    if unknown := [word for word in exporters if word not in ("otlp", "none")]:
        complaints.append(f"{variable}: {', '.join(unknown)!r} is not supported; there are otlp and none")
    if exporters and "otlp" not in exporters:
        return None
    own, general = f"OTEL_EXPORTER_OTLP_{signal.upper()}_", "OTEL_EXPORTER_OTLP_"
    if not exporters and not any(_value(environ, f"{name}ENDPOINT") for name in (own, general)):
        return None
    for name in (f"{own}PROTOCOL", f"{general}PROTOCOL"):
        match _value(environ, name).lower():
            case "http/protobuf":
                return "http/protobuf"
            case "grpc":
                return "grpc"
            case "":
                continue
            case other:
                complaints.append(f"{name}: {other!r} is not supported; there are http/protobuf and grpc")
                return None
    return "http/protobuf"


def _value(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip()
