"""Takes the fields without influence on the answer out of a parsed request body."""

import re
from functools import lru_cache
from typing import NamedTuple

from mitmcache.providers.base import Dialect, Json

MAX_PATH = 256
_PATH = re.compile(r"[^\s.\[\]]+(?:\[\*?\])?(?:\.[^\s.\[\]]+(?:\[\*?\])?)*")


class Step(NamedTuple):
    name: str
    each: bool  # the field is a list, and the next step goes into every element


@lru_cache(maxsize=512)
def steps(path: str) -> tuple[Step, ...]:
    """`messages[].content[].cache_control` as steps."""
    return tuple(Step(part.removesuffix("[]"), part.endswith("[]")) for part in path.split("."))


def path_of(text: str) -> str:
    """A user's `messages[*].id` or `metadata.run` as a dialect would write it. Raises ValueError."""
    if len(text) > MAX_PATH or not _PATH.fullmatch(text) or text.endswith("]"):
        raise ValueError(f"{text!r} is not a path to a field, such as metadata.run or messages[*].id")
    return text.replace("[*]", "[]")


def prune(body: Json, dialect: Dialect) -> None:
    """Removes in place what the dialect calls volatile. An object that this empties goes too."""
    if not isinstance(body, dict):
        return
    for path in dialect.volatile:
        _drop(body, steps(path))
    if dialect.prune:
        dialect.prune(body)


def _drop(node: Json, path: tuple[Step, ...]) -> None:
    if not isinstance(node, dict):
        return
    (name, each), rest = path[0], path[1:]
    if name not in node:
        return
    child = node[name]
    if not rest:
        del node[name]
    elif each:
        if isinstance(child, list):
            for element in child:
                _drop(element, rest)
    elif child and isinstance(child, dict):
        _drop(child, rest)
        if not child:
            del node[name]
