"""Changes of a recorded request that make it another."""

from collections.abc import Callable
from typing import Any

from asked import Asked, another, counted, value_at, with_value


def change(asked: Asked, pick: Callable[[list[Any]], Any]) -> Any:
    """The request's document with one thing changed that has an influence on the answer."""
    document, places = asked.document, counted(asked)
    place = pick(places)
    parents = [place[:-1] for place in places if place]
    match pick(["value", "added", "removed", "swapped"]):
        case "added":
            parent = pick([at for at in parents if isinstance(value_at(document, at), dict)] or [()])
            return with_value(document, parent, {**value_at(document, parent), "added_by_a_test": None})
        case "removed":
            return with_value(document, place, ...)
        case "swapped" if (found := swappable(asked, places)) is not None:
            at, one, other = pick(found)
            return with_value(document, at, swapped(value_at(document, at), one, other))
    return with_value(document, place, another(value_at(document, place)))


def swappable(asked: Asked, places: list[tuple[str | int, ...]]) -> list[tuple[Any, int, int]] | None:
    """Neighbours in lists that differ in what counts."""
    held: dict[Any, dict[int, str]] = {}
    for place in places:
        for depth, step in enumerate(place):
            if isinstance(step, int):
                inside = f"{place[depth + 1 :]} {value_at(asked.document, place)!r};"
                elements = held.setdefault(place[:depth], {})
                elements[step] = elements.get(step, "") + inside
    found = [
        (at, index, index + 1)
        for at, elements in held.items()
        for index in elements
        if index + 1 in elements and elements[index] != elements[index + 1]
    ]
    return found or None


def swapped(elements: list[Any], one: int, other: int) -> list[Any]:
    copy = elements.copy()
    copy[one], copy[other] = copy[other], copy[one]
    return copy
