"""Hand-written exchanges, read, and with anything in them replaced by rubbish."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from exchanges import ALL, Exchange
from mitmcache.exchange import Headers
from mitmcache.providers.base import Json
from mitmcache.reading.documents import Named, documents

RUBBISH: list[Any] = [
    *(None, True, -1, 2**80, 1.5, float("inf"), float("nan"), "", "x", "\ud83d", 10**400),
    *([], {}, [None], ["a"], [1], [[]], [{}], {"a": 1}, {"type": 5}, {"type": "text"}, [{"text": 3}]),
]


@dataclass(frozen=True)
class Spoilt:
    dialect: str
    request: Json
    events: list[Named]
    streamed: bool


def reply_headers(exchange: Exchange) -> Headers:
    return (("content-type", exchange.reply_type), *exchange.reply_headers)


def places(document: Json, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield way
    if isinstance(document, dict | list):
        for name, value in document.items() if isinstance(document, dict) else enumerate(document):
            yield from places(value, (*way, name))


def replaced(document: Json, way: tuple[Any, ...], value: Json) -> Json:
    if not way:
        return value
    holder = document = copy.deepcopy(document)
    for name in way[:-1]:
        holder = holder[name]
    holder[way[-1]] = value
    return document


@st.composite
def spoilt(draw: st.DrawFn) -> Spoilt:
    """One to three values of the reply, and one of the request, are others."""
    exchange = draw(st.sampled_from(ALL))
    events, streamed = documents(exchange.dialect, reply_headers(exchange), exchange.answer)
    for _ in range(draw(st.integers(1, 3)) if events else 0):
        which = draw(st.integers(0, len(events) - 1))
        name, document = events[which]
        way = draw(st.sampled_from(list(places(document))))
        events[which] = name, replaced(document, way, draw(st.sampled_from(RUBBISH)))
    sent, _ = documents(exchange.dialect, (), exchange.body)
    request = sent[0][1] if sent else {}
    way = draw(st.sampled_from(list(places(request))))
    return Spoilt(exchange.dialect, replaced(request, way, draw(st.sampled_from(RUBBISH))), events, streamed)
