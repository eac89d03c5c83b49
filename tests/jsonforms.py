"""Writes one JSON document in as many ways as the grammar has; and Hypothesis' documents."""

import json
import random
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

TEXTS = st.text(max_size=8)
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-1e60"), max_value=Decimal("1e60")),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
OBJECTS = st.dictionaries(TEXTS, DOCUMENTS, min_size=1, max_size=5)
"""Numbers in them are int, float or Decimal, all of them exact."""


def write(document: Any, rng: random.Random) -> bytes:
    """The document with random key order, white space, escapes and forms of numbers."""
    return (_space(rng) + _write(document, rng) + _space(rng)).encode()


def value_of(number: float | Decimal) -> Decimal:
    """The value that a JSON number stands for, exactly: a float's is that of its shortest form."""
    return Decimal(repr(number)) if isinstance(number, float) else Decimal(number)


def _write(node: Any, rng: random.Random) -> str:
    gap = _space(rng)
    if isinstance(node, dict):
        items = list(node.items())
        rng.shuffle(items)
        return (
            "{" + ",".join(f"{gap}{_text(k, rng)}{gap}:{_write(v, rng)}{gap}" for k, v in items) + gap + "}"
        )
    if isinstance(node, list):
        return "[" + ",".join(gap + _write(element, rng) + gap for element in node) + gap + "]"
    if isinstance(node, str):
        return _text(node, rng)
    if isinstance(node, bool) or node is None:
        return json.dumps(node)
    return _number(value_of(node), rng)


def _space(rng: random.Random) -> str:
    return "".join(rng.choices(" \t\r\n", k=rng.choice((0, 0, 0, 1, 3))))


def _text(text: str, rng: random.Random) -> str:
    return '"' + "".join(_mark(mark, rng) for mark in text) + '"'


def _mark(mark: str, rng: random.Random) -> str:
    if rng.random() < 0.3 or mark < " " or mark in '"\\':
        units = mark.encode("utf-16-be").hex()
        escaped = "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
        return escaped.upper().replace("\\U", "\\u") if rng.random() < 0.5 else escaped
    return mark


def _number(value: Decimal, rng: random.Random) -> str:
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).lstrip("0") or "0"
    minus = "-" if sign else ""
    zeros = rng.choice((0, 0, 1, 3)) if text != "0" else 0
    match rng.randrange(3):
        case 0:  # moved into the exponent
            return f"{minus}{text}{'0' * zeros}{rng.choice('eE')}{exponent - zeros:{rng.choice(('', '+'))}d}"
        case 1:  # digit point digits
            rest = text[1:] + "0" * (zeros + 1)
            return f"{minus}{text[0]}.{rest}e{exponent + len(text) - 1}"
        case _:  # written out
            return f"{minus}{_plain(text, exponent)}"


def _plain(text: str, exponent: int) -> str:
    if exponent >= 0:
        return text + "0" * exponent if text != "0" else "0"
    text = text.rjust(1 - exponent, "0")
    return f"{text[:exponent]}.{text[exponent:]}"
