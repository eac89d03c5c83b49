"""What a wire dialect and a provider are. The modules beside this one are their data."""

from collections.abc import Callable
from dataclasses import dataclass, field
from re import Pattern
from typing import Any

from mitmcache.reasons import Reason
from mitmcache.wire.events import Event

type Json = Any
"""A parsed JSON document, of whatever shape a stranger sent."""


class Listener:
    """Hears one stream, event by event, and says at its end whether it is a whole answer.

    A subclass sets `ended` at a marker after which nothing that matters can come, `fault` at the first
    event that makes the answer one not to keep, and overrides `whole` where only the end of the
    transmission can tell.
    """

    def __init__(self) -> None:
        self.ended = False
        self.fault: Reason | None = None

    def hear(self, event: Event) -> None:
        raise NotImplementedError

    def whole(self) -> bool:
        """Asked when the transport marked a clean end and no terminal marker was heard."""
        return False

    def verdict(self, *, clean_end: bool) -> Reason | None:
        """None: a whole answer, to keep. Otherwise why not."""
        if self.fault:
            return self.fault
        if self.ended or (clean_end and self.whole()):
            return None
        return Reason.INCOMPLETE


def never(body: Json) -> Reason | None:
    """Refuses nothing."""
    return None


def no_error(document: Json) -> Reason | None:
    """Keeps any JSON document that is not an error object."""
    return Reason.ERROR if isinstance(document, dict) and document.get("error") else None


def body_model(path: str, body: Json) -> str:
    model = body.get("model") if isinstance(body, dict) else None
    return model if isinstance(model, str) else ""


def body_stream(path: str, body: Json) -> bool:
    return isinstance(body, dict) and body.get("stream") is True


@dataclass(frozen=True, slots=True)
class Dialect:
    """One operation of one wire protocol: what of a request matters, and when a reply is whole.

    `body` below is the parsed JSON request; of a multipart request, a dict of its text parts; else None.
    """

    name: str
    operation: str
    """gen_ai.operation.name of OpenTelemetry, or our own word where it has none."""
    volatile: tuple[str, ...] = ()
    """Body fields without influence on the answer: `a`, `a.b`, `a[].b` (every element of the list a)."""
    prune: Callable[[Json], None] | None = None
    """Takes out of the freshly parsed body, in place, what paths cannot name."""
    key_headers: tuple[str, ...] = ()
    """Request headers that change the answer, lower-case; `x-amzn-bedrock-*` is a prefix."""
    set_headers: tuple[str, ...] = ()
    """Those of `key_headers` whose comma-separated values are a set."""
    volatile_query: tuple[str, ...] = ()
    model: Callable[[str, Json], str] = body_model
    """(path, body) -> the model asked for, "" where the request names none."""
    streams: Callable[[str, Json], bool] = body_stream
    """(path, body) -> the caller asked for a stream."""
    refuse: Callable[[Json], Reason | None] = never
    """Why this request may not be answered from a cache, None where it may."""
    judge: Callable[[Json], Reason | None] = no_error
    """Why this JSON reply is not an answer to keep, None where it is."""
    listen: Callable[["Provider"], Listener] | None = None
    """Makes the listener of one streamed reply; None where the dialect has no streams."""
    opaque: bool = False
    """A reply may also be text or binary, whose only sign of wholeness is the transport's."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Whose hosts these are. `operations` are (method, path pattern, dialect), the first match wins."""

    name: str
    """gen_ai.provider.name of OpenTelemetry where it has one."""
    hosts: tuple[Pattern[str], ...]
    operations: tuple[tuple[str, Pattern[str], Dialect], ...] = field(repr=False)
    done_optional: bool = False
    """OpenAI-like streams may end without `[DONE]`: then every choice must have finished."""
    key_headers: tuple[str, ...] = ()
