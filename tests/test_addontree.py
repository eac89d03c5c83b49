"""The tree of addons as a list, and whether it still is that one."""

from collections.abc import Callable
from typing import Any

import pytest

from managing import Named
from mitmcache.addontree import walk


class Same(Named):
    """Equal to whatever it is compared with."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def forest(kind: type[Named] = Named) -> list[Any]:
    """a, b (c (d), e), f"""
    deep = kind("c", [kind("d")])
    return [kind("a"), kind("b", [deep, kind("e")]), kind("f")]


def names(addons: Any) -> str:
    return "".join(addon.name for addon in addons)


def test_the_list_is_in_the_order_of_the_calls() -> None:
    tree = walk(forest())
    assert tree and names(tree.addons) == "abcdef"
    assert tree.ends == [1, 5, 5, 5, 5, 6]


@pytest.mark.parametrize(
    ("at", "below", "after"), [(0, "", "bf"), (1, "ce", "f"), (2, "de", "f"), (5, "", "")]
)
def test_what_comes_behind_an_addon(at: int, below: str, after: str) -> None:
    tree = walk(forest())
    assert tree and (names(tree.rest(at)), names(tree.tops_after(at))) == (below, after)


def test_what_cannot_be_seen_to_change_is_not_kept() -> None:
    assert walk([Named("a", iter([]))]) is None


def _another_top(chain: list[Any]) -> None:
    chain[0] = type(chain[0])("a")


def _one_more(chain: list[Any]) -> None:
    chain[1].addons.append(Named("g"))


def _another_below(chain: list[Any]) -> None:
    chain[1].addons[1] = type(chain[1])("e")


def _another_list(chain: list[Any]) -> None:
    chain[1].addons = [*chain[1].addons, Named("g")]


@pytest.mark.parametrize("kind", [Named, Same])
@pytest.mark.parametrize("change", [_another_top, _one_more, _another_below, _another_list])
def test_a_change_is_seen_whatever_addons_say_they_equal(
    kind: type[Named], change: Callable[[list[Any]], None]
) -> None:
    chain = forest(kind)
    tree = walk(chain)
    assert tree and tree.stands(chain) and not tree.stands(list(chain))
    change(chain)
    assert not tree.stands(chain)
