"""What the dialects share: safe ways into strangers' JSON, tool-call arguments, and the common listener.

Nothing here raises on any JSON value, `parse` aside.
"""

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn

import orjson

from mitmcache.providers.base import Dialect, Json, Listener, Provider, body_model, no_error
from mitmcache.reasons import Reason
from mitmcache.wire.events import Event

MAX_ARGUMENTS = 1 << 20
"""Characters of tool-call arguments that one stream's listener keeps to look at; the rest goes unchecked."""

ANYWHERE = "(?:/.+)?"
"""A pattern for whatever path stands in front. Twice in one pattern it would take quadratic time."""

UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

type Operations = tuple[tuple[str, re.Pattern[str], Dialect], ...]


def post(*rules: tuple[str, Dialect]) -> Operations:
    """Operations from (path pattern, dialect); a pattern has to match the whole path."""
    return tuple(("POST", re.compile(pattern), dialect) for pattern, dialect in rules)


def parse(text: bytes | str) -> Json:
    """Raises ValueError. Takes lone surrogates, which servers that split an emoji between chunks send."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        plain = text if isinstance(text, str) else text.decode()
        if not _SURROGATE.search(plain):
            raise
        try:
            return json.loads(plain, parse_constant=_not_a_number)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def _not_a_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def dig(document: Json, *names: str) -> Json:
    """What lies at the end of these names, None where an object or a name is missing."""
    for name in names:
        if not isinstance(document, dict):
            return None
        document = document.get(name)
    return document


def dicts(value: Json) -> list[dict[str, Any]]:
    """The objects of a list, none of anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def is_word(value: Json, *words: str) -> bool:
    return isinstance(value, str) and value in words


def fault_of(reason: Json, faults: dict[str, Reason]) -> Reason | None:
    """What a table says of a finish reason; any that it does not name is an answer's."""
    return faults.get(reason) if isinstance(reason, str) else None


def asks_stream(path: str, body: Json) -> bool:
    """A stream by `stream` (in a multipart form it is text) or, at Vertex, by the path."""
    flag = dig(body, "stream")
    return flag is True or is_word(flag, "true", "True", "1") or path.endswith(":streamRawPredict")


def model_in(pattern: str) -> Callable[[str, Json], str]:
    """The model by a pattern's group in the path, else by the body."""
    compiled = re.compile(pattern)

    def model(path: str, body: Json) -> str:
        found = compiled.search(path)
        return found[1] if found else body_model(path, body)

    return model


def having(*names: str) -> Callable[[Json], Reason | None]:
    """Judges a reply by one of these fields being there and not empty; a list by holding anything."""

    def judge(document: Json) -> Reason | None:
        if fault := no_error(document):
            return fault
        found = [dig(document, name) for name in names] if isinstance(document, dict) else [document]
        return Reason.EMPTY if all(value in (None, "", [], {}) for value in found) else None

    return judge


def broken(arguments: Json) -> bool:
    """Tool-call arguments as text that is not JSON. No text at all is a call without arguments."""
    if not isinstance(arguments, str) or not arguments.strip():
        return False
    try:
        parse(arguments)
    except ValueError:
        return True
    return False


class Arguments:
    """Puts together the pieces of a stream's tool-call arguments."""

    def __init__(self) -> None:
        self._pieces: dict[str, list[tuple[str, str]]] = {}
        self._room = MAX_ARGUMENTS

    def add(self, call: object, text: Json, name: Json = None) -> None:
        """`call` tells the calls of one stream apart. Where it may fail to, `name`, if there is one, is the
        call's own: a server may give every call of a stream the same number."""
        if isinstance(text, str) and text and self._room > 0:
            self._pieces.setdefault(str(call), []).append((name if isinstance(name, str) else "", text))
            self._room -= len(text)

    def fault(self) -> Reason | None:
        """Past the bound nothing is said: what was kept may stop inside a call."""
        if self._room > 0 and any(map(_broken, self._pieces.values())):
            return Reason.TOOL_ARGUMENTS
        return None


def _broken(pieces: list[tuple[str, str]]) -> bool:
    """Neither one call nor several, each whole before the name of the next is heard.

    A new name alone is no new call: some servers give one to every piece.
    """
    together = "".join(text for _, text in pieces)
    if not broken(together):
        return False
    starts, position, last = {0}, 0, ""
    for name, text in pieces:
        if name and name != last:
            starts.add(position)
            last = name
        position += len(text)
    return len(starts) < 2 or not _all_whole(together, starts)


def _all_whole(text: str, starts: set[int]) -> bool:
    position, decoder = 0, json.JSONDecoder()
    while position < len(text):
        try:
            position = decoder.raw_decode(text, position)[1]
        except (ValueError, RecursionError):
            return False
        if position < len(text) and position not in starts:
            return False
    return True


class JsonListener(Listener):
    """A listener of events that are JSON objects, or `[DONE]`. Errors of every known form are a fault."""

    def __init__(self) -> None:
        super().__init__()
        self.arguments = Arguments()

    def hear(self, event: Event) -> None:
        data = event.data.strip()
        if event.error or event.name == "error":
            self.blame(Reason.ERROR)
        elif data == b"[DONE]":
            self.done()
        elif data and event.name not in ("ping", "keepalive"):
            try:
                self.take(event.name, parse(data))
            except ValueError:
                self.blame(Reason.NOT_JSON)

    def take(self, name: str, document: Json) -> None:
        """Takes one parsed event."""
        if no_error(document) or is_word(dig(document, "type"), "error"):
            self.blame(Reason.ERROR)
        elif isinstance(document, dict):
            self.told(name, document)

    def told(self, name: str, document: dict[str, Any]) -> None:
        """Hears one event that is an object and no error."""
        raise NotImplementedError

    def done(self) -> None:
        """Hears `[DONE]`, which most protocols do not need."""

    def blame(self, reason: Reason | None) -> None:
        """Notes the first fault; None is no fault."""
        self.fault = self.fault or reason

    def verdict(self, *, clean_end: bool) -> Reason | None:
        return super().verdict(clean_end=clean_end) or self.arguments.fault()


class MarkerListener(JsonListener):
    """Listens to a stream whose last event says so in its `type`."""

    def __init__(self, *markers: str) -> None:
        super().__init__()
        self._markers = markers

    def told(self, name: str, document: dict[str, Any]) -> None:
        self.ended = self.ended or is_word(document.get("type") or name, *self._markers)


def alike(kind: Callable[[], Listener]) -> Callable[[Provider], Listener]:
    """For `Dialect.listen`, where every provider's streams are heard in the same way."""
    return lambda provider: kind()
