"""Questions to the history: the last calls, sums over time, and how long answers took."""

import sqlite3
from collections import defaultdict
from dataclasses import dataclass, fields
from typing import Literal

from mitmcache.journal.event import Event
from mitmcache.journal.history_rows import BOUNDS, rows, unpack
from mitmcache.journal.history_tables import recall
from mitmcache.journal.ledgers import COLUMNS, DAY, HOUR, OTHERS, By, Ledgers, Sums

MAX_GROUPS = 1000
"""In one bucket; those with the fewest calls beyond it are added up as OTHERS."""

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

    def sql(self) -> tuple[str, list[str]]:
        """Conditions, each of them after an AND, and their values."""
        said = {each.name: value for each in fields(self) if (value := getattr(self, each.name)) is not None}
        return "".join(f" AND {name} = ?" for name in said), list(said.values())


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
        """Seconds, by interpolation between two bounds; at most the last bound. None: there were no calls."""
        rank, below = q * sum(self.counts), 0
        for index, count in enumerate(self.counts):
            if count and below + count >= rank:
                low = BOUNDS[index - 1] if index else 0.0
                high = BOUNDS[min(index, len(BOUNDS) - 1)]
                return low + (high - low) * max(0.0, rank - below) / count
            below += count
        return None


def recent(db: sqlite3.Connection, limit: int, before: int | None, chosen: Filter) -> list[Kept]:
    where, values = chosen.sql()
    found = db.execute(
        f"SELECT number, facts FROM calls WHERE number < ?{where} ORDER BY number DESC LIMIT ?",
        (before if before is not None else 1 << 62, *values, limit),
    )
    return [Kept(number, event) for number, event in rows(found)]


def call(db: sqlite3.Connection, id: str) -> Event | None:
    query = "SELECT facts FROM calls WHERE id = ? ORDER BY number DESC LIMIT 1"
    row = db.execute(query, (id,)).fetchone()
    return unpack(row[0]) if row else None


def sums(
    db: sqlite3.Connection, since: float, until: float, by: By | None, bucket: int, chosen: Filter
) -> list[Summed]:
    """See History.sums."""
    where, values = chosen.sql()
    parts = _parts(db, since, until, bucket)
    columns = f"provider, host, model, client, ledger, served, {', '.join(COLUMNS)}"
    tables = " UNION ALL ".join(
        f"SELECT {at} AS at, {columns} FROM {table} WHERE {at} >= ? AND {at} < ?{where}"
        for table, at, _, _ in parts
    )
    begin = f"CAST(at / {int(bucket)} AS INTEGER) * {int(bucket)}" if bucket else "0"
    group = {None: "''", "day": _step(DAY), "hour": _step(HOUR)}.get(by, by)
    query = f"""
        SELECT {begin}, {group}, ledger, served, {", ".join(f"sum({name})" for name in COLUMNS)}
        FROM ({tables}) GROUP BY 1, 2, 3, 4
    """
    bounds = [value for _, _, low, high in parts for value in (low, high, *values)]
    told: dict[float, dict[str, Ledgers]] = defaultdict(lambda: defaultdict(Ledgers))
    for at, name, ledger, served, *amounts in db.execute(query, bounds) if parts else ():
        told[at if bucket else since][name].count(ledger, bool(served), Sums(*amounts))
    return [
        Summed(at, name, ledgers)
        for at, groups in sorted(told.items())
        for name, ledgers in sorted(_few(groups).items())
    ]


def latencies(db: sqlite3.Connection, since: float, until: float) -> dict[Kind, Histogram]:
    """See History.latencies."""
    counts: dict[Kind, list[int]] = {kind: [0] * (len(BOUNDS) + 1) for kind in ("hit", "miss")}
    query = """
        SELECT kind, bound, sum(calls) FROM latencies WHERE hour >= ? AND hour < ? GROUP BY kind, bound
    """
    for kind, bound, number in db.execute(query, (since // HOUR * HOUR, until)):
        counts[kind][bound] = number
    return {kind: Histogram(tuple(each)) for kind, each in counts.items()}


def _step(seconds: int) -> str:
    return f"CAST(CAST(at / {seconds} AS INTEGER) * {seconds} AS TEXT)"


def _parts(
    db: sqlite3.Connection, since: float, until: float, bucket: int
) -> list[tuple[str, str, float, float]]:
    """Table, its column of times, and from when to when to take what is in it.

    Whole hours are taken from `hours`, and the beginning and the end, as far as they are no whole ones, from
    the calls; where these are gone, the whole hour that they are of.
    """
    hours, calls = ("hours", "hour"), ("calls", "began")
    if bucket % HOUR:
        return [(*calls, since, until)]
    kept = recall(db, "dropped")
    start, end = -(-since // HOUR) * HOUR, until // HOUR * HOUR
    if start > end:  # all of it within one hour
        return [(*calls, since, until) if since > kept else (*hours, end, until)]
    if since <= kept:
        start = since // HOUR * HOUR
    if end <= kept:
        end = until
    edges = [(*calls, since, start), (*hours, start, end), (*calls, end, until)]
    return [part for part in edges if part[2] < part[3]]


def _few(groups: dict[str, Ledgers]) -> dict[str, Ledgers]:
    if len(groups) <= MAX_GROUPS:
        return groups
    ranked = sorted(groups, key=lambda name: -_calls(groups[name]))
    few = {name: groups[name] for name in ranked[: MAX_GROUPS - 1]}
    others = few.setdefault(OTHERS, Ledgers())
    for name in ranked[MAX_GROUPS - 1 :]:
        others.join(groups[name])
    return few


def _calls(ledgers: Ledgers) -> int:
    return ledgers.billed.calls + ledgers.saved.calls
