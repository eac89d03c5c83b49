"""JSON documents that say the same, in the same bytes.

Key order, white space, escapes and the way a number is written (`1`, `1.0`, `1e0`) do not count; every
value does, exactly: no number is rounded to a double. What two readers could read differently (a key twice,
NaN, a lone surrogate) or what is nested beyond sense is refused, and the caller falls back to the bytes.
"""

import json
from contextlib import suppress
from typing import Any, Never

import orjson

from mitmcache.cache import sparse
from mitmcache.providers.base import Json

_PLAIN_DIGITS = 18  # every integer of so many digits is exact in 64 bits


class Ambiguous(ValueError):
    """The document has no single canonical form."""


def parse(body: bytes) -> Json:
    """The document as dicts, lists, strings, bools, None, ints; any other number as an opaque exact value.

    Raises Ambiguous for what is not JSON in UTF-8, or not JSON of one meaning.
    """
    if sparse.worthwhile(body):
        with suppress(sparse.Unsure):
            return sparse.parse(body, _number)
    return parse_exactly(body)


def parse_exactly(body: bytes) -> Json:
    """As `parse`, without the shorter way."""
    try:
        return _DECODER.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise Ambiguous(str(error)) from None


def dump(document: Json) -> bytes:
    """The canonical bytes of what `parse` gave. Raises Ambiguous."""
    try:
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:  # a lone surrogate, or nested too deep
        raise Ambiguous(str(error)) from None


def lenient(body: bytes) -> Json:
    """What most servers would read, None if nothing; for looking at a field, never for a key."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Ambiguous("a key occurs twice")
    return fields


def _integer(text: str) -> int | orjson.Fragment:
    return int(text) if len(text) <= _PLAIN_DIGITS else _number(text)


def _number(text: str) -> int | orjson.Fragment:
    """One form per value: an int where it is short, else digits and a power of ten."""
    mantissa, _, power = text.lower().partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return 0
    exponent = int(power or 0) - len(fraction) + len(digits) - len(significant)
    if exponent >= 0 and len(significant) + exponent <= _PLAIN_DIGITS:
        return int(f"{sign}{significant}{'0' * exponent}")
    return orjson.Fragment(f"{sign}{significant}e{exponent}".encode())


def _constant(name: str) -> Never:
    raise Ambiguous(f"{name} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_number, parse_int=_integer, parse_constant=_constant
)
