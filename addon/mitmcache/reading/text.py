"""How single values are written: bounded, and never as long base64."""

import json
import re
from typing import Any

from mitmcache.providers.base import Json

MOST_OF_ONE = 32_000
"""Characters of one text; the rest is counted."""

_PACKED = re.compile(
    r"data:(?P<kind>[\w.+-]+/[\w.+-]+)?(?:;[\w=.-]+)*;base64,(?P<data>[A-Za-z0-9+/_=-]*)"
    r"|(?<![A-Za-z0-9+/_-])(?:(?P<run>[A-Za-z0-9+/_-]{400,}={0,2})"  # not from inside a run: that is slow
    r"|(?P<lines>(?:[A-Za-z0-9+/]{60,76}\r?\n){6,}[A-Za-z0-9+/]*={0,2}))"
)


def size(amount: int) -> str:
    """Of bytes: `12 B`, `12 kB`, `1.2 MB`."""
    if amount < 1000:
        return f"{amount} B"
    return f"{amount / 1000:.0f} kB" if amount < 999_500 else f"{amount / 1e6:.1f} MB"


def unpacked(data: str) -> int:
    """How many bytes this base64 stands for."""
    return len(data.rstrip("=")) * 3 // 4


def tidy(text: str, most: int = MOST_OF_ONE) -> str:
    """Without what cannot be written as UTF-8, without base64, and not too long."""
    shown = _PACKED.sub(_hidden, text)
    left = len(shown) - most
    clean = shown[:most].encode("utf-8", "replace").decode()
    return f"{clean}\n[… {left} more characters]" if left > 0 else clean


def _hidden(match: re.Match[str]) -> str:
    packed = match["data"] or match["run"] or match["lines"] or ""
    return f"[{match['kind'] or 'base64'} {size(unpacked(packed))}]"


def compact(value: Json, most: int = MOST_OF_ONE) -> str:
    """A JSON value on one line."""
    if isinstance(value, str):
        return tidy(value, most)
    try:
        return tidy(json.dumps(_shallow(value, 0), ensure_ascii=False), most)
    except (TypeError, ValueError):
        return "[unreadable]"


def _shallow(value: Any, depth: int) -> Any:
    """The value with its base64 hidden and its depth bounded."""
    if isinstance(value, str):
        return tidy(value)
    if isinstance(value, dict):
        return "…" if depth > 32 else {str(key): _shallow(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        if len(value) > 16 and all(isinstance(each, int | float) for each in value):
            return f"[{len(value)} numbers]"
        return "…" if depth > 32 else [_shallow(each, depth + 1) for each in value]
    return value


def arguments(value: Json) -> str:
    """A tool call's arguments, which many dialects write as JSON in a string."""
    if isinstance(value, str):
        try:
            return compact(json.loads(value))
        except (ValueError, RecursionError):
            return tidy(value)
    return compact({} if value is None else value)


def called(name: Json, given: Json, identity: Json = None) -> str:
    mark = f"  [{identity}]" if isinstance(identity, str) and identity else ""
    return f"→ {name}({arguments(given)}){mark}"


def media(kind: str, media_type: Json, data: Json) -> str:
    """`[image image/png 12 kB]`; `data` is base64, a data URL, or where it lies."""
    named = media_type if isinstance(media_type, str) else ""
    if not isinstance(data, str):
        return f"[{kind}{' ' + named if named else ''}]"
    if found := re.match(r"data:([\w.+-]*/?[\w.+-]*)", data):
        named, data = named or found[1], data.partition(",")[2]
    elif re.match(r"[a-z][a-z0-9]*://", data) or len(data) < 40:
        # whoever holds a signed URL's query may read what it names
        where = data.partition("?")[0][:200]
        return " ".join(filter(None, (f"[{kind}", named, where))) + "]"
    return " ".join(filter(None, (f"[{kind}", named, size(unpacked(data))))) + "]"
