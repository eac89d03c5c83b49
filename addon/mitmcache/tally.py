"""What has been counted since the start."""

from collections import Counter
from dataclasses import dataclass, field

from mitmcache.reasons import Reason


@dataclass(slots=True)
class Tally:
    """Calls by what became of them. A stale answer served is a hit."""

    hits: int = 0
    misses: int = 0
    stored: int = 0
    corrupt: int = 0
    bypassed: Counter[Reason] = field(default_factory=Counter)
    dropped: Counter[Reason] = field(default_factory=Counter)

    def as_json(self) -> dict[str, object]:
        return {
            "hits": self.hits,
            "misses": self.misses,
            "bypassed": {reason.value: count for reason, count in self.bypassed.items()},
            "dropped": {reason.value: count for reason, count in self.dropped.items()},
            "stored": self.stored,
            "corrupt": self.corrupt,
        }
