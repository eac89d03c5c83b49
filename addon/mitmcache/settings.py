"""The options, as text, and what they come to."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from mitmcache import policy_file
from mitmcache.alerts.rules import Alerts
from mitmcache.cache.policy import Mode, Serve
from mitmcache.cache.rules import Rule
from mitmcache.cache.scope import Scope
from mitmcache.journal.rates import Rate
from mitmcache.providers.base import Provider
from mitmcache.providers.catalogue import user_host
from mitmcache.store import location
from mitmcache.store.location import Location
from mitmcache.store.seal import load_secret
from mitmcache.units import duration, size


class WebSocket(StrEnum):
    """llm_websocket: what becomes of an upgrade where an HTTP call would do."""

    REFUSE = "refuse"
    PASS = "pass"


class Log(StrEnum):
    """llm_log: how each call is told in one line. `auto`: on a terminal, and where there is a file."""

    AUTO = "auto"
    OFF = "off"
    CONSOLE = "console"
    JSON = "json"


class Option(NamedTuple):
    """One of mitmproxy's options; all are text there, so that a wrong value can be named."""

    name: str
    default: str
    help: str


OPTIONS = (
    Option(
        "llm_store",
        "",
        "A bucket that machines share: s3://BUCKET/PREFIX or r2://ACCOUNT/BUCKET/PREFIX. Empty: none.",
    ),
    Option("llm_secret", "", "Seals what the bucket holds: a file with the secret, or `env:NAME`."),
    Option("llm_lookup_timeout", "500ms", "How long a call waits for the bucket, in all; then it is a miss."),
    Option("llm_poll", "30s", "How often the bucket is asked whether somebody has purged."),
    Option("llm_spool", "1g", "Answers on the local disk that wait for the bucket; beyond, they stay local."),
    Option(
        "llm_data_dir",
        "",
        "Folder of the local disk store. Empty: ${XDG_DATA_HOME:-~/.local/share}/mitmcache.",
    ),
    Option("llm_ttl", "24h", "How long an answer is fresh: 90s, 15m, 24h, 7d; 0 for ever."),
    Option("llm_max_body", "64m", "Larger requests and answers pass through and are not kept."),
    Option("llm_memory", "256m", "Answers kept in memory, in bytes as stored (compressed)."),
    Option("llm_disk", "10g", "Answers kept on the local disk, in bytes as stored."),
    Option(
        "llm_scope",
        "credential",
        "Who shares answers: callers with the same credential, the same proxy `user`, or `shared` by all.",
    ),
    Option(
        "llm_mode",
        "live",
        "live; offline: never upstream, a miss is 504; refresh: always upstream, and kept; off.",
    ),
    Option(
        "llm_serve",
        "all",
        "all; earlier-runs: what this run of the proxy has stored is not served to it.",
    ),
    Option(
        "llm_websocket",
        "refuse",
        "WebSockets where there is an HTTP call: refuse (426: clients fall back to HTTP), or pass.",
    ),
    Option("llm_hosts", "", "More hosts: `llm.corp.example=openai, localhost:11434=ollama`."),
    Option("llm_fast_dispatch", "true", "Call mitmproxy's hooks from a table: the same, in half the time."),
    Option("llm_log", "auto", "A line per call: off, console, json; auto: console on a terminal, else off."),
    Option("llm_log_file", "", "Where the lines go, as JSON unless llm_log=console. Empty: to stderr."),
    Option("llm_log_size", "64m", "A log file of so many bytes is moved away (3 are kept); 0: never."),
    Option("llm_log_bodies", "", "A file for prompts and answers, word for word. Empty: written nowhere."),
    Option("llm_gateway_port", "8082", "The dashboard and its API, on 127.0.0.1; 0 for none."),
    Option("llm_policy", "", "A YAML file of rules: match host, model, path, user -> ttl, skip, scope, ..."),
    Option(
        "llm_history",
        "30d",
        "How long finished calls are kept on this machine, without bodies: 30d; 0: the last 100,000; off.",
    ),
)


class BadOption(ValueError):
    """A value that cannot be; the text begins with the option's name, which is `option` where it is ours."""

    def __init__(self, text: str, option: str = "") -> None:
        super().__init__(text)
        self.option = option


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes in bytes, times in seconds (`ttl` and `history` math.inf for ever, `history` 0 for off). `store`
    None: no bucket. `prices` are the policy file's."""

    store: Location | None
    secret: bytes = field(repr=False)
    lookup_timeout: float
    poll: float
    spool: int
    data_dir: Path
    ttl: float
    max_body: int
    memory: int
    disk: int
    scope: Scope
    mode: Mode
    serve: Serve
    websocket: WebSocket
    hosts: tuple[tuple[str, Provider], ...]
    fast_dispatch: bool
    gateway_port: int
    policy: tuple[Rule, ...]
    prices: tuple[Rate, ...]
    history: float
    alerts: Alerts
    log: Log
    log_file: Path | None
    log_size: int
    log_bodies: Path | None


def parse(options: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> Settings:
    """Raises BadOption."""
    readers: dict[str, Callable[[str], object]] = {
        "llm_store": lambda text: location.parse(text, environ) if text else None,
        "llm_secret": lambda text: load_secret(text, environ) if text else b"",
        "llm_lookup_timeout": lambda text: _within(duration(text), 0.001, 60, "1ms to 60s"),
        "llm_poll": lambda text: _within(duration(text), 0.1, 3600, "100ms to 1h"),
        "llm_spool": size,
        "llm_data_dir": lambda text: _data_dir(text, environ),
        "llm_ttl": duration,
        "llm_max_body": size,
        "llm_memory": size,
        "llm_disk": size,
        "llm_scope": lambda text: _choice(Scope, text),
        "llm_mode": lambda text: _choice(Mode, text),
        "llm_serve": lambda text: _choice(Serve, text),
        "llm_websocket": lambda text: _choice(WebSocket, text),
        "llm_hosts": _hosts,
        "llm_fast_dispatch": _truth,
        "llm_policy": policy_file.read,
        "llm_gateway_port": _port,
        "llm_history": lambda text: 0.0 if text.strip().lower() == "off" else duration(text),
        "llm_log": lambda text: _choice(Log, text),
        "llm_log_file": _file,
        "llm_log_size": size,
        "llm_log_bodies": _file,
    }
    values: dict[str, Any] = {}
    for name, read in readers.items():
        try:
            values[name.removeprefix("llm_")] = read(options[name])
        except (ValueError, OSError, RuntimeError) as error:  # RuntimeError: a `~name` of nobody
            raise BadOption(f"{name}: {error}", name) from error
    values["policy"], values["prices"], values["alerts"] = values["policy"]
    return Settings(**values)


def _within(seconds: float, least: float, most: float, words: str) -> float:
    if not least <= seconds <= most:
        raise ValueError(f"must be {words}")
    return seconds


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > 65535:
        raise ValueError(f"{text!r} is no port: 0 to 65535")
    return int(text)


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def _file(text: str) -> Path | None:
    """To be written to; made where there is none."""
    if not text:
        return None
    path = Path(text).expanduser()
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"{path} is a folder" if path.is_dir() else f"{path.parent} is not a folder")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(f"{path} may not be written to")
    return path


def _data_dir(text: str, environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_DATA_HOME") or "~/.local/share"
    folder = Path(text or Path(base) / "mitmcache").expanduser()
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    return folder


def _choice[T: (Scope, Mode, Serve, WebSocket, Log)](kind: type[T], text: str) -> T:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{text!r} is none of {', '.join(kind)}") from None


def _hosts(text: str) -> tuple[tuple[str, Provider], ...]:
    return tuple(user_host(spec) for spec in text.replace(",", " ").split())
