"""Numbers out of strangers' JSON: what is no count is None."""

from typing import Any

from mitmcache.providers.base import Json
from mitmcache.providers.tools import dicts, dig

MOST = 1 << 40
"""No call uses as much; a larger number is rubbish."""


def count(value: Json) -> int | None:
    """A whole number from 0 to MOST; some servers write it with a `.0`."""
    if value is None:  # which most are
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value) if abs(value) <= MOST else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= MOST else None


def seconds(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= MOST else None


def number_in(text: str) -> int | None:
    """A count written in a header."""
    text = text.strip()
    return count(int(text)) if text.isascii() and text.isdigit() and len(text) <= 15 else None


def at(document: Json, *names: str) -> int | None:
    """The count at the end of these names."""
    return count(dig(document, *names))


def first(*values: int | None) -> int | None:
    """The first that was said."""
    return next((value for value in values if value is not None), None)


def together(*values: int | None) -> int | None:
    """The sum of those that were said, None where none was."""
    said = [value for value in values if value is not None]
    return sum(said) if said else None


def highest(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Two reports of counters that only grow; null, and what is missing, takes nothing back."""
    merged = dict(old)
    for name, value in new.items():
        before = merged.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            merged[name] = {**before, **{k: v for k, v in value.items() if v is not None}}
        elif (now := count(value)) is not None and (then := count(before)) is not None:
            merged[name] = max(now, then)
        elif value is not None:
            merged[name] = value
    return merged


def modality(details: Json, name: str, number: int) -> int | None:
    """Google's tokens of one modality, which some replies give as the number of its enum."""
    return together(
        *(
            first(at(each, "tokenCount"), at(each, "tokens"))
            for each in dicts(details)
            if _same(each.get("modality"), name, number)
        )
    )


def _same(value: Json, name: str, number: int) -> bool:
    return value.upper() == name if isinstance(value, str) else value is not True and value == number
