"""Fields that differ on every call, so that nothing ever hits: suspects for a volatile rule."""

import re
from collections import OrderedDict
from collections.abc import Iterable

from mitmcache.cache.prune import path_of

SURE = 5
"""Misses in a row that a field must have differed in."""
MOST_GROUPS = 256
MOST_PATHS = 64

_INDEX = re.compile(r"\[\d+\]")
_INGREDIENTS = frozenset({"method", "path", "query", "content-type", "custom", "raw", "body"})
_ASKED = frozenset(
    {
        *("arguments", "content", "data", "documents", "images", "input"),
        *("inputs", "instructions", "max_tokens", "messages", "model", "output"),
        *("prompt", "query", "system", "temperature", "text", "url"),
    }
)
"""What is asked, and how: that it differs on every call is what calls are for."""


class Suspects:
    """Counts misses by host and model. `as_json` names paths as a policy file's `volatile` has them."""

    def __init__(self) -> None:
        self._groups: OrderedDict[tuple[str, str], tuple[int, frozenset[str]]] = OrderedDict()

    def note(self, host: str, model: str, changed: Iterable[str]) -> None:
        """`changed`: places that the missed request and the nearest stored one both have, and that differ."""
        paths = frozenset(list(_candidates(changed))[:MOST_PATHS])
        misses, before = self._groups.get((host, model), (0, paths))
        # once a field has not differed it is none; when none is left, all begins anew
        left = before & paths
        self._groups[host, model] = (misses + 1, left) if left else (1, paths)
        self._groups.move_to_end((host, model))
        if len(self._groups) > MOST_GROUPS:
            self._groups.popitem(last=False)

    def as_json(self) -> list[dict[str, object]]:
        return [
            {"host": host, "model": model, "path": path, "misses": misses}
            for (host, model), (misses, paths) in self._groups.items()
            if misses >= SURE
            for path in sorted(paths)
        ]


def _candidates(places: Iterable[str]) -> Iterable[str]:
    for place in dict.fromkeys(_INDEX.sub("[*]", place) for place in places):
        path = re.sub(r"(\[\*\])+$", "", place)
        if path in _INGREDIENTS or path.rpartition(".")[2] in _ASKED:
            continue
        try:
            path_of(path)
        except ValueError:  # a header, a part of a form, or a name that no path can have
            continue
        yield path
