"""What a request looked like, without a word of it: so that a miss can be explained.

A shape maps each place of a request (`model`, `messages[0].content`, `header anthropic-beta`) to a short
keyed digest of its value. Two shapes name the places in which their requests differ; nobody who lacks the
key learns anything from one.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import orjson

from mitmcache import trimmed
from mitmcache.cache.body import Body
from mitmcache.cache.key import Ingredients
from mitmcache.providers.base import Json

MAX_PLACES = 512
_DIGITS = 12

type Shape = Mapping[str, str]


class Near(NamedTuple):
    """The stored request that is most like one that was missed: its key, and the places that differ.

    `changed` are those of them that both have.
    """

    key: str
    places: list[str]
    changed: tuple[str, ...] = ()


def shape(parts: Ingredients, body: Body, secret: bytes) -> Shape:
    """At most MAX_PLACES places; what lies beyond them is one place named `...`."""
    places: dict[str, str] = {}
    rest = hashlib.blake2b(key=secret, digest_size=_DIGITS // 2)
    for place, value in _places(parts, body):
        if place in places:  # `a.b` may be a field, or b of a: neither's change may be lost
            value = places[place].encode() + value
        if len(places) < MAX_PLACES or place in places:
            places[place] = hashlib.blake2b(value, key=secret, digest_size=_DIGITS // 2).hexdigest()
        else:
            rest.update(value)
            places["..."] = rest.hexdigest()
    return places


def pack(places: Shape) -> bytes:
    return trimmed.dumps(dict(places))


def unpack(data: bytes) -> Shape:
    """{} for anything that `pack` did not make."""
    try:
        places = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return places if isinstance(places, dict) else {}


def difference(mine: Shape, other: Shape) -> list[str]:
    """The places that only one has, or that differ, in my order first."""
    changed = [place for place, value in mine.items() if other.get(place) != value]
    return changed + [place for place in other if place not in mine]


def nearest(mine: Shape, others: Iterable[tuple[str, Shape]]) -> Near | None:
    """The most alike of the others, which are given with their keys; None: there is none to compare with."""
    found = [(difference(mine, other), key, other) for key, other in others if other]
    if not found:
        return None
    places, key, other = min(found, key=lambda each: len(each[0]))
    return Near(key, places, tuple(place for place in places if place in mine and place in other))


def _places(parts: Ingredients, body: Body) -> Iterator[tuple[str, bytes]]:
    for name, value in parts:
        if name not in ("dialect", "origin", "scope", "json", "multipart"):
            yield name, value
    if body.tree is not None:
        yield from _leaves("", body.tree)


def _leaves(place: str, node: Json) -> Iterator[tuple[str, bytes]]:
    if isinstance(node, dict) and node:
        for name in sorted(node):
            yield from _leaves(f"{place}.{name}" if place else name, node[name])
    elif isinstance(node, list) and node:
        for index, element in enumerate(node):
            yield from _leaves(f"{place}[{index}]", element)
    else:
        yield place or "body", orjson.dumps(node)
