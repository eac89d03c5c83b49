"""mitmproxy's tree of addons, walked once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import eq, is_
from typing import Any, NamedTuple


class Place(NamedTuple):
    members: Sequence[object]
    at: int


@dataclass(frozen=True, slots=True)
class Tree:
    """The addons in the order of their calls.

    `paths[n]` is where the addon n was found: first in the chain, then in the `addons` below. `ends[n]` is
    where the part of the list ends that belongs to the same top-level addon. `nested` have `addons`.
    """

    chain: list[object]
    tops: list[object]
    addons: list[object]
    paths: list[tuple[Place, ...]]
    ends: list[int]
    nested: list[tuple[object, Sequence[object]]]
    plain: bool

    def stands(self, chain: list[object]) -> bool:
        """Whether a walk would find the same now. What a property `addons` raises, this raises."""
        # `==` looks for identity first, and that 20 times faster; an addon's own __eq__ must not be asked
        same = eq if self.plain else _identical
        if chain is not self.chain or not same(chain, self.tops):
            return False
        for addon, members in self.nested:  # noqa: SIM110 - a generator costs more, at every event
            if not same(getattr(addon, "addons", None), members):
                return False
        return True

    def rest(self, at: int) -> Iterator[object]:
        """What mitmproxy, having called the addon `at`, goes down into before the next top-level addon."""
        addon: Any = self.addons[at]
        if hasattr(addon, "addons"):
            yield from addon.addons
        for members, place in reversed(self.paths[at][1:]):
            yield from islice(members, place + 1, None)

    def tops_after(self, at: int) -> Iterator[object]:
        members, place = self.paths[at][0]
        return islice(members, place + 1, None)


def walk(chain: list[object]) -> Tree | None:
    """None for a tree that cannot be kept: `addons` may be anything that can be iterated over."""
    addons: list[object] = []
    paths: list[tuple[Place, ...]] = []
    ends: list[int] = []
    nested: list[tuple[object, Sequence[object]]] = []

    def visit(addon: Any, path: tuple[Place, ...]) -> bool:
        addons.append(addon)
        paths.append(path)
        if not hasattr(addon, "addons"):
            return True
        members = addon.addons
        if type(members) not in (list, tuple):
            return False
        nested.append((addon, members[:]))
        return all(visit(member, (*path, Place(members, index))) for index, member in enumerate(members))

    for index, top in enumerate(chain):
        if not visit(top, (Place(chain, index),)):
            return None
        ends.extend([len(addons)] * (len(addons) - len(ends)))
    plain = all(type(addon).__eq__ is object.__eq__ for addon in addons)
    return Tree(chain, chain[:], addons, paths, ends, nested, plain)


def _identical(one: Any, other: Sequence[object]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other))
