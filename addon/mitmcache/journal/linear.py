"""What a price list works out at length, learnt from a few answers of it: most prices are so much a token.

To ask genai-prices takes a quarter of a millisecond, which is a tenth of a call that is not in the cache.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

type Amounts = tuple[Decimal, ...]
type Calculate = Callable[[Mapping[str, float]], Amounts | None]
"""Amounts of money for counts; None where it cannot tell. It must be linear where all counts `fit`, and tell
or not tell, or raise, by which counts there are and which of them are 0, not by how many."""

PART_OF = {
    "cache_read_tokens": "input_tokens",
    "cache_write_tokens": "input_tokens",
    "output_reasoning_tokens": "output_tokens",
}
_PLAIN = frozenset(PART_OF) | frozenset(PART_OF.values())
KEPT = 1024
_MILLION = 1_000_000
"""What prices are for, so that no division by it has a remainder."""


class Linear(NamedTuple):
    """`each` is by the name of a count, for one of it."""

    fixed: Amounts
    each: Mapping[str, Amounts]

    def of(self, counts: Mapping[str, float]) -> Amounts:
        """For counts of the same names, of which the same are 0, and that `fit`."""
        total = self.fixed
        for name, prices in self.each.items():
            number = Decimal(counts[name])
            total = tuple(sum_ + price * number for sum_, price in zip(total, prices, strict=True))
        return total


def fit(counts: Mapping[str, float]) -> bool:
    """All are plain tokens, and no part is more than its whole."""
    said = [name for name, count in counts.items() if count]
    if not _PLAIN.issuperset(said):
        return False
    return all(
        sum(counts[part] for part in said if PART_OF.get(part) == whole) <= counts.get(whole, 0)
        for whole in PART_OF.values()
    )


def learn(calculate: Calculate, counts: Mapping[str, float]) -> Linear | None:
    """From its amounts for other numbers of what is in `counts`. None: it cannot tell."""
    said = [name for name, count in counts.items() if count]
    # so many of each whole that one part may grow
    start = {name: (_MILLION if name in PART_OF else 4 * _MILLION) * (name in said) for name in counts}
    first = calculate(start)
    if first is None:
        return None
    each: dict[str, Amounts] = {}
    for name in said:
        more = calculate({**start, name: start[name] + _MILLION})
        if more is None:
            return None
        each[name] = tuple((b - a) / _MILLION for a, b in zip(first, more, strict=True))
    fixed = tuple(
        amount - sum(prices[place] * start[name] for name, prices in each.items())
        for place, amount in enumerate(first)
    )
    return Linear(fixed, each)


class Learnt:
    """For any thread, one at a time."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], tuple[object, Linear | None]] = OrderedDict()

    def of(self, prices: object, counts: Mapping[str, float], calculate: Calculate) -> Amounts | None:
        """What `calculate` says. It is asked where the prices, whose attributes they are, or the counts are
        not plain ones, and of others only when the same prices come with counts of these names first. Raises
        what it does.
        """
        if prices is None or not _are_plain(prices) or not fit(counts):
            return calculate(counts)
        key = id(prices), tuple((name, bool(count)) for name, count in counts.items())
        if key not in self._kept:
            self._kept[key] = prices, learn(calculate, counts)  # which keeps the prices, and so their id
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        linear = self._kept[key][1]
        return linear.of(counts) if linear else None


def _are_plain(prices: object) -> bool:
    """None is another one from some number on."""
    return all(price is None or isinstance(price, Decimal) for price in vars(prices).values())
