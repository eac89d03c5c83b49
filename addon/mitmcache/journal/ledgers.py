"""What calls have used and cost, added up in three ledgers that are never mixed.

*billed* went upstream, *saved* were answered from the cache, and *served* got a whole answer, from either.
What is unknown is counted as such beside the sums, and is never taken for zero.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Literal, NamedTuple

from mitmcache.journal.event import Event
from mitmcache.reading.usage import UNBILLED

type By = Literal["model", "provider", "client", "host", "day", "hour"]

OTHERS = "(other)"
"""Stands for all groups beyond the most that are told apart."""
FREE = UNBILLED - {"anthropic.complete"}
"""Dialects whose calls use nothing that is paid for."""
HOUR, DAY = 3600, 86400


@dataclass(slots=True)
class Sums:
    """`dollars` of the calls whose price is known; `cache_savings` is what the provider's own prompt cache
    has saved of them, which is no part of `dollars`.

    `unknown_usage` and `unknown_price` count calls. One that was refused, or is free, is in neither.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    reasoning_output_tokens: int = 0
    dollars: float = 0.0
    cache_savings: float = 0.0
    unknown_usage: int = 0
    unknown_price: int = 0

    def add(self, other: "Sums") -> None:
        # one by one: this is done for every call, on the event loop
        self.calls += other.calls
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cache_read_input_tokens += other.cache_read_input_tokens
        self.cache_creation_input_tokens += other.cache_creation_input_tokens
        self.reasoning_output_tokens += other.reasoning_output_tokens
        self.dollars += other.dollars
        self.cache_savings += other.cache_savings
        self.unknown_usage += other.unknown_usage
        self.unknown_price += other.unknown_price

    def less(self, other: "Sums") -> "Sums":
        """What has come since."""
        return Sums(*(getattr(self, name) - getattr(other, name) for name in COLUMNS))

    def as_json(self) -> dict[str, float]:
        return asdict(self)

    @property
    def money(self) -> str:
        """`$1.23`, `$0.0042 + 4 calls of unknown price`, `1 call of unknown price`, `$0.00`."""
        unknown = f"{self.unknown_price:,} call{'s' * (self.unknown_price != 1)} of unknown price"
        known = self.calls > self.unknown_price
        if not self.unknown_price:
            return dollars(self.dollars)
        return f"{dollars(self.dollars)} + {unknown}" if known else unknown


COLUMNS = tuple(each.name for each in fields(Sums))


@dataclass(slots=True)
class Ledgers:
    billed: Sums = field(default_factory=Sums)
    served: Sums = field(default_factory=Sums)
    saved: Sums = field(default_factory=Sums)

    def add(self, event: Event) -> None:
        self.count(event.ledger, event.served, sums_of(event))

    def count(self, ledger: str, served: bool, sums: Sums) -> None:
        """Adds what calls of one `Event.ledger` have used, all of them `served` or none."""
        if ledger == "billed":
            self.billed.add(sums)
        elif ledger == "saved":
            self.saved.add(sums)
        if served:
            self.served.add(sums)

    def join(self, other: "Ledgers") -> None:
        for name in ("billed", "served", "saved"):
            getattr(self, name).add(getattr(other, name))

    @property
    def hit_ratio(self) -> float | None:
        """Hits among all that were answered from the cache or went upstream. None: there were none."""
        calls = self.saved.calls + self.billed.calls
        return self.saved.calls / calls if calls else None

    def as_json(self) -> dict[str, dict[str, float]]:
        return {name: getattr(self, name).as_json() for name in ("billed", "served", "saved")}


class Group(NamedTuple):
    """What calls are added up by. `hour` in Unix seconds, a multiple of HOUR."""

    hour: int
    provider: str
    host: str
    model: str
    client: str


def sums_of(event: Event) -> Sums:
    """What one call adds to each ledger that it is in."""
    used, cost = event.usage, event.cost
    due = event.status < 300 and event.dialect not in FREE
    sums = Sums(
        calls=1,
        unknown_usage=int(due and used is None),
        unknown_price=int(due and cost is None),
    )
    if used:
        sums.input_tokens = used.input_tokens or 0
        sums.output_tokens = used.output_tokens or 0
        sums.cache_read_input_tokens = used.cache_read_input_tokens or 0
        sums.cache_creation_input_tokens = used.cache_creation_input_tokens or 0
        sums.reasoning_output_tokens = used.reasoning_output_tokens or 0
    if cost:
        sums.dollars, sums.cache_savings = cost.total, cost.cache_savings
    return sums


def dollars(amount: float) -> str:
    """`$1,234.50`; two digits that count where it is less than a cent: `$0.0042`, `$0.000015`."""
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    if size == 0 or size >= 0.01:
        return f"{sign}${size:,.2f}"
    digits = next((n for n in range(3, 12) if size >= 10**-n), 12) + 1
    return f"{sign}${size:.{digits}f}".rstrip("0")
