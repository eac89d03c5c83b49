"""What has been purged: which stored answers are to be misses, without touching one of them.

A purge is a selection and a number n, larger than every n known when it was made. A record carries, as its
generation, the largest n that its proxy knew when the request began, and is valid only while no purge with
a larger n matches it. So an answer whose request was under way during the purge is purged too.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mitmcache.selection import EVERYTHING, About, Selection

VERSION = 1
MOST_PURGES = 500
"""Selections that are remembered, not counting those that differ in `before` alone; twice as many with them.
Beyond, the oldest become the floor, which purges more than was asked."""
MAX_TEXT = 256
"""Characters of one condition."""
MAX_BYTES = 8 << 20
"""Of the encoded form: nothing that is written here comes near."""
_BEYOND = 1 << 62


@dataclass(frozen=True, slots=True)
class Generations:
    """Immutable. What another purge implies is left out of `purges`, and the newest come first.

    Records of a generation below `floor` are invalid, whatever they are. `latest` is the largest n there is.
    """

    purges: Mapping[Selection, int] = field(default_factory=dict)
    floor: int = 0
    latest: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        floor = max(self.floor, self.purges.get(EVERYTHING, 0))
        purges = _implied_left_out(self.purges, floor)
        newest = list({replace(s, before=None): n for s, n in reversed(purges.items())}.values())
        for ranked, most in ((sorted(newest), MOST_PURGES), (sorted(purges.values()), 2 * MOST_PURGES)):
            if len(ranked) > most:
                floor = max(floor, ranked[-most - 1])
        purges = {selection: n for selection, n in purges.items() if n > floor}
        object.__setattr__(self, "purges", purges)
        object.__setattr__(self, "floor", floor)
        object.__setattr__(self, "latest", max(floor, *purges.values()) if purges else floor)

    def valid(self, key: str, about: About) -> bool:
        if about.generation >= self.latest:
            return True
        if about.generation < self.floor:
            return False
        for selection, n in self.purges.items():  # the newest first
            if n <= about.generation:
                return True
            if selection.matches(key, about):
                return False
        return True

    def purged(self, selection: Selection, now: float) -> "Generations":
        """With one purge more, whose n is `latest` of what is returned. `now` in Unix seconds.

        Raises ValueError for a condition that is longer than any name.
        """
        _check(selection)
        n = max(self.latest + 1, int(now * 1000))
        return Generations({**self.purges, selection: n}, self.floor)

    def number(self, selection: Selection) -> int:
        """The n of that very purge, or of the floor, which has swallowed it if it was made here."""
        return max(self.floor, self.purges.get(selection, 0))

    def above(self, n: int) -> "Generations":
        """The same purges, each with a number larger than n.

        For purges that were made without knowing some of others: a record may know those, and not these.
        """
        purges = {selection: max(mine, n + 1) for selection, mine in self.purges.items()}
        return Generations(purges, max(self.floor, n + 1) if self.floor else 0)

    def beyond(self, known: "Generations") -> "Generations":
        """What these purge and the known do not."""
        new = {s: n for s, n in self.purges.items() if merge(known, Generations({s: n})) != known}
        return Generations(new, self.floor if self.floor > known.floor else 0)

    def to_json(self) -> bytes:
        purges = [{"n": n, "select": selection.as_json()} for selection, n in self.purges.items()]
        document = {"version": VERSION, "floor": self.floor, "purges": purges}
        return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()

    @staticmethod
    def from_json(data: bytes) -> "Generations":
        """Raises ValueError for what this version does not wholly understand: keep what you had."""
        if len(data) > MAX_BYTES:
            raise ValueError("the generations are too long")
        try:
            document = json.loads(data)
            if document["version"] != VERSION:
                raise ValueError("the generations are of another version")
            found = [(Selection.from_json(item["select"]), item["n"]) for item in document["purges"]]
            found.append((EVERYTHING, document["floor"]))
        except (AttributeError, KeyError, TypeError, RecursionError) as error:
            raise ValueError("not the generations") from error
        purges: dict[Selection, int] = {}
        for selection, n in found:
            _check(selection)
            if type(n) is not int or not 0 <= n < _BEYOND:
                raise ValueError("not the number of a purge")
            purges[selection] = max(n, purges.get(selection, 0))
        return Generations(purges)


def merge(a: Generations, b: Generations) -> Generations:
    """What either has purged. In whatever order and however often several are merged, the result is one."""
    purges = {
        selection: max(a.purges.get(selection, 0), b.purges.get(selection, 0))
        for selection in a.purges.keys() | b.purges.keys()
    }
    return Generations(purges, max(a.floor, b.floor))


def _implied_left_out(purges: Mapping[Selection, int], floor: int) -> dict[Selection, int]:
    """Those above the floor, the newest first, but for any that a newer one covers: the same conditions,
    and a `before` that is no earlier."""
    kept: dict[Selection, int] = {}
    reached: dict[Selection, float] = {}
    for selection, n in sorted(purges.items(), key=lambda item: (item[1], _reach(item[0])), reverse=True):
        base = replace(selection, before=None)
        if n > floor and _reach(selection) > reached.get(base, -math.inf):
            reached[base] = _reach(selection)
            kept[selection] = n
    return kept


def _reach(selection: Selection) -> float:
    return math.inf if selection.before is None else selection.before


def _check(selection: Selection) -> None:
    for name, value in selection.as_json().items():
        if isinstance(value, str) and len(value) > MAX_TEXT:
            raise ValueError(f"{name}: at most {MAX_TEXT} characters")
        if not isinstance(value, str) and not 0 <= value < _BEYOND:
            raise ValueError(f"{name}: must be a time")
