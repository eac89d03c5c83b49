"""The shorter way to read a document, twice as fast as the exact reader, where it is sure to end the same.

orjson does not tell of a key that comes twice, and rounds numbers. So what it has read counts only where it
would write the very same text, as it is with what most SDKs send; or where there are so few strings, as
around a long prompt, that they can be counted.
"""

from collections.abc import Callable
from typing import Any

import orjson

from mitmcache.providers.base import Json

LEAST = 2048
"""Bytes, from which on there is something to be won; and of what is looked at first, twice."""
DENSE = 48
"""With more than one string in so many bytes the exact reader is as fast."""
BYTES_PER_QUOTE = 512
EXACT = 10**17
"""Smaller integers have one form."""


class Unsure(Exception):
    """The document has to be read exactly."""


def worthwhile(body: bytes) -> bool:
    half = len(body) // 2
    quotes = body.count(b'"', 0, LEAST) + body.count(b'"', half, half + LEAST)
    return len(body) >= LEAST and quotes * DENSE < LEAST * 4


def parse(body: bytes, number: Callable[[str], Any], *, bytes_per_quote: int = BYTES_PER_QUOTE) -> Json:
    """What the exact reader would give, with what `number` makes of a number's text. Raises Unsure."""
    colon = body.find(b'":')
    compact = body[colon + 2 : colon + 3] not in b" \t\r\n"
    quotes = 0 if compact else _quotes(body, len(body) // bytes_per_quote)
    try:
        tree = orjson.loads(body)
        if compact and orjson.dumps(tree) != body:
            raise Unsure
    except (orjson.JSONDecodeError, TypeError):
        raise Unsure from None
    if type(tree) not in (dict, list):
        raise Unsure
    strings = _walk(tree, number if compact else _unknown)
    if not compact and strings * 2 != quotes:
        raise Unsure
    return tree


def _quotes(body: bytes, most: int) -> int:
    """How many there are, none of them escaped. Raises Unsure."""
    if not most or b"\\" in body:
        raise Unsure
    count, at = 0, body.find(b'"')
    while at >= 0:
        count += 1
        if count > most:
            raise Unsure
        at = body.find(b'"', at + 1)
    return count


def _walk(tree: Any, number: Callable[[str], Any]) -> int:
    """How many strings there are, keys included. Replaces the numbers that have more than one form."""
    count, nodes = 0, [tree]
    while nodes:
        node = nodes.pop()
        if type(node) is dict:
            count += len(node)
            items: Any = node.items()
        else:
            items = enumerate(node)
        for place, value in items:
            kind = type(value)
            if kind is str:
                count += 1
            elif kind is dict or kind is list:
                nodes.append(value)
            elif kind is float or (kind is int and not -EXACT < value < EXACT):
                node[place] = number(orjson.dumps(value).decode())
    return count


def _unknown(text: str) -> Any:
    raise Unsure
