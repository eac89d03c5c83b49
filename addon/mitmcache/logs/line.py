"""One line of the log: what is said of a call, and in which form. Never its prompt, answer or credential."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from mitmcache.journal.event import Event
from mitmcache.journal.repeated import Repeated

EVENT = "llm_call"
LONGEST = 200
"""Characters of a text that others have chosen."""
MOST_PLACES = 8
DIGITS = 12
"""Of a key: enough for `mitmcache show`."""
UNFIT = "\N{REPLACEMENT CHARACTER}"

_QUOTED = re.compile(r"\bb['\"]")
_TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "reasoning_output_tokens",
)

_OWN = frozenset({"id", "duration", "decided", "first_byte", "trace_id"})
"""What the lines of two calls that are alike differ in."""

type Fields = dict[str, Any]
type Render = Callable[[Sequence[Event]], list[bytes]]
"""A line for each, with its newline."""


def plain(text: str, most: int = LONGEST) -> str:
    """At most so many characters, and none that ends a line or steers a terminal."""
    return _plain(text[:most]) if text else text


@lru_cache(maxsize=1024)
def _plain(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else UNFIT for c in text)


def error_words(text: str) -> str:
    """mitmproxy's words without the bytes that some of them quote."""
    return plain(_QUOTED.split(text, maxsplit=1)[0].rstrip(" :"))


def fields(event: Event) -> Fields:
    """What is known of the call, as Event names it; what is unknown is left out, and never 0.

    `input_tokens` and the like are those of the answer, `ledger` says whether they were billed or saved:
    then `cost_usd` or `saved_usd` says for how much.
    """
    return _filled(_common(event), event)


def _common(event: Event) -> Fields:
    """All fields in their order, those in _OWN still without a value."""
    found: Fields = {
        "id": None,
        "client": plain(event.client),
        "agent": plain(event.agent),
        "provider": event.provider,
        "host": plain(event.host),
        "dialect": event.dialect,
        "operation": event.operation,
        "model": plain(event.model),
        "word": event.word,
        "reason": plain(event.reason),
        "unstored": event.unstored,
        "tier": event.tier,
        "key": event.key[:DIGITS],
        "nearest": event.nearest[:DIGITS],
        "differs": [plain(place) for place in event.differs[:MOST_PLACES]],
        "status": event.status,
        "error": error_words(event.error),
        "duration": None,
        "decided": None,
        "first_byte": None,
        "response_size": event.response_size,
        "trace_id": None,
    }
    known = {name: value for name, value in found.items() if value or name in _OWN}
    return {**known, "streamed": event.streamed, "request_size": event.request_size, **_used(event)}


def _filled(common: Fields, event: Event) -> Fields:
    found = common.copy()
    found["id"] = event.id
    found["duration"] = round(event.duration, 6)
    found["decided"] = round(event.decided, 6)
    if event.first_byte is None:
        del found["first_byte"]
    else:
        found["first_byte"] = round(event.first_byte, 6)
    if event.parent:
        found["trace_id"] = event.parent.trace_id
    else:
        del found["trace_id"]
    return found


def _used(event: Event) -> Fields:
    ledger = event.ledger
    if not ledger:
        return {}
    used: Fields = {"ledger": ledger}
    if event.usage:
        for name in _TOKENS:
            if (count := getattr(event.usage, name)) is not None:
                used[name] = count
    if event.cost:
        used["cost_usd" if ledger == "billed" else "saved_usd"] = round(event.cost.total, 9)
    return used


class _Lines:
    """What structlog writes to."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self.info = self.warning = self._lines.append

    def take(self) -> list[bytes]:
        lines = list(self._lines)
        self._lines.clear()
        return lines


def json_lines() -> Render:
    """A JSON object each, `timestamp` first: when the call was over, UTC."""
    import structlog

    lines = _Lines()
    serialise = structlog.processors.JSONRenderer(serializer=_dumps)
    log = structlog.wrap_logger(
        lines,
        processors=[_unwrapped, serialise],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        cache_logger_on_first_use=True,
    ).bind()

    repeated = Repeated(_document)

    def render(events: Sequence[Event]) -> list[bytes]:
        for event in events:
            document = _filled(repeated.of(event), event)
            document["timestamp"] = datetime.fromtimestamp(event.began + event.duration, UTC)
            write = log.info if document["level"] == "info" else log.warning
            # in one piece: structlog would copy two dozen keywords three times
            write(EVENT, document=document)
        return lines.take()

    return render


def console_lines(*, colours: bool) -> Render:
    """The word, then what a reader of many lines looks for; local time."""
    import structlog
    from structlog.dev import Column, ConsoleRenderer, KeyValueColumnFormatter

    lines = _Lines()

    def text(style: str, width: int = 0) -> KeyValueColumnFormatter:
        reset = "\x1b[0m" if colours else ""
        return KeyValueColumnFormatter(None, style if colours else "", reset, str, width)

    cyan, green = ("\x1b[36m", "\x1b[32m") if colours else ("", "")
    pair = KeyValueColumnFormatter(cyan, green, "\x1b[0m" if colours else "", _shown)
    columns = [Column("timestamp", text("\x1b[2m")), Column("event", text("\x1b[1m", 6)), Column("", pair)]
    log = structlog.wrap_logger(
        lines,
        processors=[ConsoleRenderer(columns=columns, sort_keys=False), _encoded],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        cache_logger_on_first_use=True,
    ).bind()

    def render(events: Sequence[Event]) -> list[bytes]:
        for event in events:
            ended = datetime.fromtimestamp(event.began + event.duration).strftime("%H:%M:%S")
            all_of_it = fields(event)
            shown = {name: all_of_it[name] for name in _SHOWN if name in all_of_it}
            getattr(log, _level(event))(event.word, timestamp=ended, **shown)
        return lines.take()

    return render


_SHOWN = (
    *("provider", "model", "status", "tier", "reason", "unstored", "error", "duration", "input_tokens"),
    *("output_tokens", "cost_usd", "saved_usd", "differs", "client"),
)


def _level(event: Event) -> str:
    return "info" if event.served else "warning"


def _document(event: Event) -> Fields:
    return {"timestamp": None, "level": _level(event), **_common(event), "event": EVENT}


def _unwrapped(logger: object, method: str, said: Any) -> Any:
    return said["document"]


def _dumps(document: Mapping[str, Any], default: Callable[[Any], Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)


def _encoded(logger: object, method: str, line: Any) -> bytes:
    return f"{line}\n".encode()


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return repr(text) if " " in text or "=" in text or "'" in text else text
