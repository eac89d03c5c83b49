"""The shapes that were used last, kept for a moment: to explain a miss must not cost a trip to the disk."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from mitmcache.store.base import Entry

FRESH_SECONDS = 1.0
GROUPS = 32
BYTES = 256 * 1024
"""Of one group. What is larger is read each time: to compare it takes longer than that."""
PUTS = 64

type Shapes = list[tuple[str, bytes]]
"""Key and shape, the last used first."""


@dataclass(slots=True)
class _Group:
    at: float
    limit: int
    shapes: Shapes


class Lately:
    """What the disk has told of a group, for a second, and in front of it what was put here since."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._groups: OrderedDict[str, _Group] = OrderedDict()
        self._puts: deque[tuple[int, Entry]] = deque(maxlen=PUTS)
        self.number = 0
        """Of puts until now."""

    def get(self, group: str, limit: int) -> Shapes | None:
        """None: the disk has to be asked."""
        kept = self._groups.get(group)
        if kept is None or kept.limit < limit or self._clock() - kept.at > FRESH_SECONDS:
            return None
        self._groups.move_to_end(group)
        return kept.shapes[:limit]

    def keep(self, group: str, limit: int, shapes: Shapes, number: int) -> Shapes:
        """`shapes` with what has been put while they were read, from behind the put `number` on."""
        for at, entry in self._puts:
            if at > number and entry.group == group:
                shapes = _in_front(shapes, entry, limit)
        if _size(shapes) <= BYTES:
            self._groups[group] = _Group(self._clock(), limit, shapes)
            self._groups.move_to_end(group)
            if len(self._groups) > GROUPS:
                self._groups.popitem(last=False)
        return shapes

    def put(self, entry: Entry) -> None:
        if not entry.shape:
            return
        self.number += 1
        self._puts.append((self.number, Entry(entry.key, b"", group=entry.group, shape=entry.shape)))
        if kept := self._groups.get(entry.group):
            kept.shapes = _in_front(kept.shapes, entry, kept.limit)
            if _size(kept.shapes) > BYTES:
                del self._groups[entry.group]

    def clear(self) -> None:
        """Something is gone."""
        self._groups.clear()
        self._puts.clear()


def _in_front(shapes: Shapes, entry: Entry, limit: int) -> Shapes:
    others = [each for each in shapes if each[0] != entry.key]
    return [(entry.key, entry.shape), *others[: limit - 1]]


def _size(shapes: Shapes) -> int:
    return sum(len(shape) for _, shape in shapes)
