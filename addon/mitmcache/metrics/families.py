"""What is exported, before it is text: a snapshot that a thread may read while the counting goes on."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

type Kind = Literal["counter", "gauge", "histogram"]


class Histogram:
    """`counts[n]` observations were at most `bounds[n]` and more than the bound before; the last of `counts`
    are those above all bounds."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """A duration below 0, of a clock that was set, counts as 0."""
        value = max(value, 0.0)
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def copy(self) -> "Histogram":
        made = Histogram(self.bounds)
        made.counts, made.sum = list(self.counts), self.sum
        return made


class Sample(NamedTuple):
    labels: tuple[str, ...]
    value: float | Histogram


@dataclass(frozen=True, slots=True)
class Family:
    """`name` as Prometheus has it, with its `_total`; `labels` are names, in the order of the values."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...]
    samples: Sequence[Sample]


def single(name: str, kind: Kind, help: str, value: float) -> Family:
    """Without labels."""
    return Family(name, kind, help, (), (Sample((), float(value)),))
