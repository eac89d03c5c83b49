"""What the assemblers of streams share."""

from typing import Any

from mitmcache.providers.base import Json

MOST_PARTS = 10_000
"""Choices, blocks, calls of one stream; a hostile one must not make more."""


class Slots:
    """Objects by index or id, in the order in which they were first named."""

    def __init__(self) -> None:
        self._slots: dict[str, dict[str, Any]] = {}

    def __bool__(self) -> bool:
        return bool(self._slots)

    def at(self, key: Json) -> dict[str, Any]:
        """The slot's own object, new at first sight. Past the bound one that nobody keeps."""
        name = str(key)
        if name not in self._slots and len(self._slots) >= MOST_PARTS:
            return {}
        return self._slots.setdefault(name, {})

    def put(self, key: Json, value: Json) -> None:
        slot = self.at(key)
        if isinstance(value, dict):
            slot.clear()
            slot.update(value)

    def all(self) -> list[dict[str, Any]]:
        return list(self._slots.values())


def grow(holder: dict[str, Any], name: str, text: Json) -> None:
    """Adds a piece to a text; `joined` makes the text of the pieces, for adding to a string is quadratic."""
    if isinstance(text, str) and text:
        pieces = holder.setdefault(name, [])
        if isinstance(pieces, str):
            holder[name] = pieces = [pieces] if pieces else []
        if isinstance(pieces, list):
            pieces.append(text)


def joined(holder: dict[str, Any], *names: str) -> dict[str, Any]:
    """The same object with these grown texts in one piece."""
    for name in names:
        pieces = holder.get(name)
        if isinstance(pieces, list) and all(isinstance(piece, str) for piece in pieces):
            holder[name] = "".join(pieces)
    return holder


def word(value: Json) -> Json:
    return value if isinstance(value, str) else None
