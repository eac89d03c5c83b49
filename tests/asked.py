"""Recorded requests as calls, and changes of them: for the tests of what makes two calls the same."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from corpus import Entry, body_of, entries
from made import read
from mitmcache.cache import canonical
from mitmcache.cache import key as keys
from mitmcache.cache.scope import Scope, caller, label
from mitmcache.exchange import Call, Headers
from mitmcache.providers import catalogue

type Place = tuple[str | int, ...]
SECRET: Headers = (("authorization", "Bearer one"),)
BILLING = "x-anthropic-billing-header:"
NOTES = "internal_chat_message_metadata_passthrough"
CALLS = ("functionCall", "functionResponse", "function_call", "function_response")
NAMELESS = ("message", "additional_tools", "function_call_output", "custom_tool_call_output")


@dataclass(frozen=True, slots=True)
class Asked:
    """`document` is the parsed body, None where that is not JSON of one meaning. Not to be changed."""

    name: str
    call: Call = field(repr=False)
    document: Any = field(repr=False)

    def saying(self, document: Any, **formatting: Any) -> Call:
        return replace(self.call, body=json.dumps(document, **formatting).encode())


def key_of(call: Call) -> str:
    owner = label(Scope.CREDENTIAL, caller(call), "")
    return keys.digest(keys.ingredients(call, read(call), owner))


def call_of(request: Entry, body: bytes) -> Call | None:
    """None for what the catalogue does not name."""
    url = urlsplit(request["url"])
    path = re.sub("/{2,}", "/", unquote(url.path, errors="surrogateescape"))
    route = catalogue.find(url.netloc.lower(), request["method"], path)
    if route is None:
        return None
    headers = tuple((name.lower(), value) for name, value in request["headers"])
    return Call(*route, request["method"], url.scheme, url.netloc.lower(), path, url.query, headers, body)


@lru_cache
def recorded() -> tuple[Asked, ...]:
    """Every inference request of the corpus, with a credential (which the recorders have taken out)."""
    found = ((entry["id"], call_of(entry["request"], body_of(entry["request"]))) for entry in entries())
    return tuple(
        Asked(name, replace(call, headers=(*call.headers, *SECRET)), document_of(call.body))
        for name, call in found
        if call
    )


@lru_cache
def documents() -> tuple[Asked, ...]:
    return tuple(asked for asked in recorded() if isinstance(asked.document, dict))


def document_of(body: bytes) -> Any:
    try:
        canonical.parse(body)
    except canonical.Ambiguous:
        return None
    return json.loads(body)


def leaves(node: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """All values that are no containers, and the empty containers."""
    inside: Any = (
        node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    )
    if not inside or not node:
        yield place, node
        return
    for name, value in inside:
        yield from leaves(value, (*place, name))


def counted(asked: Asked) -> list[Place]:
    """The leaves that have an influence on the answer, by this file's own reading of what has none."""
    paths = [tuple(path.replace("[]", ".*").split(".")) for path in asked.call.dialect.volatile]
    return [
        place
        for place, _ in leaves(asked.document)
        if not any(_below(place, path) for path in paths) and not _pruned(asked, place)
    ]


def _below(place: Place, path: tuple[str, ...]) -> bool:
    """The place is at or under the volatile path."""
    pairs = zip(place, path, strict=False)
    return len(place) >= len(path) and all(
        isinstance(have, int) if want == "*" else have == want for have, want in pairs
    )


def _pruned(asked: Asked, place: Place) -> bool:
    """The place is what a dialect's own function takes out."""
    document, name = asked.document, asked.call.dialect.name
    element: Any = value_at(document, place[:2]) if len(place) > 1 else None
    match name:
        case "openai.responses" if place[0] == "input" and len(place) > 2 and isinstance(element, dict):
            kind = element.get("type")
            nameless = kind in NAMELESS or ("role" in element and kind is None)
            return place[2] == NOTES or (nameless and place[2] == "id")
        case "bedrock.converse":
            return "cachePoint" in place
        case "gemini.generate" | "gemini.count_tokens":
            return place[0] == "contents" and len(place) == 6 and place[4] in CALLS and place[5] == "id"
        case "anthropic.messages" | "anthropic.count_tokens" | "bedrock.invoke":
            metadata = name == "bedrock.invoke" and "anthropic_version" in document and place[0] == "metadata"
            billing = place[0] == "system" and isinstance(element, dict)
            return metadata or (billing and str(element.get("text")).startswith(BILLING))
    return False


def value_at(node: Any, place: Place) -> Any:
    for name in place:
        node = node[name]
    return node


def with_value(node: Any, place: Place, value: Any) -> Any:
    """A copy with another value at the place; `...` takes it out."""
    if not place:
        return value
    copy = node.copy()
    if len(place) == 1 and value is ...:
        del copy[place[0]]
    else:
        copy[place[0]] = with_value(node[place[0]], place[1:], value)
    return copy


def another(value: Any) -> Any:
    """A value that is not this one."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1 if value + 1 != value else 0
        case str():
            return value + "x"
        case None:
            return 0
        case _:
            return {"x": 1}


def with_volatile(node: Any, path: str, value: Any) -> Any:
    """The document with this value wherever the volatile path leads, added where that is possible."""
    return _set(node, path.split("."), value)


def _set(node: Any, path: list[str], value: Any) -> Any:
    if not isinstance(node, dict):
        return node
    name, rest = path[0].removesuffix("[]"), path[1:]
    if not rest:
        return {**node, name: value}
    child = node.get(name)
    if path[0].endswith("[]"):
        return (
            {**node, name: [_set(element, rest, value) for element in child]}
            if isinstance(child, list)
            else node
        )
    if name not in node and not any(step.endswith("[]") for step in rest):
        return {**node, name: _set({}, rest, value)}
    # an object that was sent empty counts; one that only holds what is volatile does not
    return {**node, name: _set(child, rest, value)} if child else node
