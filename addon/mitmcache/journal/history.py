"""The finished calls, without bodies, kept in the local store so that they outlast the proxy.

(The storage is on its way; this is the interface.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mitmcache.journal.event import Event
from mitmcache.journal.ledgers import By, Ledgers

type Kind = Literal["hit", "miss"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A call that is in the history. `number` grows with each, and is the place to go on from."""

    number: int
    event: Event


@dataclass(frozen=True, slots=True)
class Filter:
    """Calls that agree with all that is not None. `word` is the verdict: HIT, STALE, MISS, BYPASS."""

    word: str | None = None
    model: str | None = None
    provider: str | None = None
    client: str | None = None
    host: str | None = None


EVERY = Filter()


@dataclass(frozen=True, slots=True)
class Summed:
    """The sums of one group in one bucket. `at`: Unix seconds of the bucket's beginning."""

    at: float
    group: str
    ledgers: Ledgers


@dataclass(frozen=True, slots=True)
class Histogram:
    """`counts[i]` calls took at most `BOUNDS[i]` seconds and more than the bound before; the last more
    than all bounds."""

    counts: tuple[int, ...]

    def quantile(self, q: float) -> float | None:
        """Seconds, found within a bound by interpolation. None: there were no calls."""
        raise NotImplementedError


class History:
    """The calls kept in `folder`, by whichever process. Reads raise StoreError, writes never fail."""

    def __init__(self, folder: Path, keep: float) -> None:
        """`keep`: seconds, 0 to keep nothing."""

    def note(self, events: Sequence[Event]) -> None:
        """Takes finished calls, to be written soon. Returns at once."""

    async def recent(self, limit: int = 100, before: int | None = None, filter: Filter = EVERY) -> list[Kept]:
        """The latest first; `before`: only those whose number is smaller, the last of the page before."""
        raise NotImplementedError

    async def call(self, id: str) -> Event | None:
        """The latest one of this flow id; None: it is not kept (any more)."""
        raise NotImplementedError

    async def sums(
        self,
        since: float,
        until: float,
        by: By | None = None,
        bucket: int = 0,
        filter: Filter = EVERY,
    ) -> list[Summed]:
        """What the calls that began from `since` to before `until` come to, ordered by bucket and group.

        `bucket`: seconds (60, 3600, 86400...; 0: one for all, whose `at` is `since`); the group is "" without
        `by`. Empty buckets are left out. `filter.word` is not known of sums, and must be None.
        """
        raise NotImplementedError

    async def latencies(self, since: float, until: float) -> dict[Kind, Histogram]:
        """How long answers took, from the request's first byte to the answer's last: those from the cache
        (`hit`), and those from upstream (`miss`, bypasses among them)."""
        raise NotImplementedError

    async def flush(self, deadline: float) -> None:
        """Waits until what was noted is written or given up, at most `deadline` seconds."""

    async def close(self, deadline: float) -> None:
        """Writes what was noted, at most `deadline` seconds."""
