# ruff: noqa: T201 - what it prints is what it is for
"""From rounds to one line each: medians, and the median of the rounds' ratios."""

import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from statistics import median, quantiles

from mitmcache import __version__

type Round = Mapping[str, float]
"""What one round measured for one target; the key says what, and in which unit."""

MORE_IS_BETTER = "requests/s"


@dataclass(frozen=True, slots=True)
class Row:
    """The ratio is ours to bare's, of each round, and of these the median."""

    what: str
    bare: float
    ours: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    first: str
    second: str
    rows: tuple[Row, ...]


def rows(bare: Sequence[Round], ours: Sequence[Round]) -> list[Row]:
    """Rounds in the order in which they ran: the first of the one beside the first of the other."""
    return [
        Row(
            what,
            median(each[what] for each in bare),
            median(each[what] for each in ours),
            median(b[what] / (a[what] or math.nan) for a, b in zip(bare, ours, strict=True)),
        )
        for what in bare[0]
    ]


def latency(seconds: Sequence[float], of: str = "") -> dict[str, float]:
    cuts = quantiles(seconds, n=100, method="inclusive")
    return {f"{of}p50, ms": cuts[49] * 1000, f"{of}p99, ms": cuts[98] * 1000}


class Report:
    """Prints what was measured at once, and holds all of it for `--json` and the plot."""

    def __init__(self, rounds: int, seconds: float) -> None:
        self.sections: list[Section] = []
        self.about: dict[str, object] = {
            "mitmcache": __version__,
            "mitmproxy": version("mitmproxy"),
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(),
            "rounds": rounds,
            "seconds": seconds,
        }
        _title(rounds, seconds)

    def section(
        self, name: str, rows: Sequence[Row], first: str = "bare mitmdump", second: str = "mitmcache"
    ) -> None:
        """`first` and `second` are what the columns are of."""
        self.sections.append(Section(name, first, second, tuple(rows)))
        other = "" if (first, second) == ("bare mitmdump", "mitmcache") else f": {first}, {second}"
        print(name + other)
        for row in rows:
            print(f"    {row.what:<42}{_number(row.bare):>10}{_number(row.ours):>12}{row.ratio:>8.2f}x")
        print(flush=True)

    def note(self, text: str) -> None:
        print(text, end="\n\n", flush=True)

    def as_json(self) -> dict[str, object]:
        return {**self.about, "sections": [asdict(section) for section in self.sections]}


def _title(rounds: int, seconds: float) -> None:
    print(
        f"mitmcache {__version__} beside bare mitmdump {version('mitmproxy')}, both on this machine: "
        f"{os.cpu_count()} cores,\nPython {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}. {rounds} rounds of {seconds:g} s, in turn; medians.\n"
        "The ratio is mitmcache to bare, of each round, and of these the median: "
        f"for {MORE_IS_BETTER} more\nis better, for all else less.\n\n"
        f"{'':<46}{'bare':>10}{'mitmcache':>12}{'ratio':>9}",
        flush=True,
    )


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}"
