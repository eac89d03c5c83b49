"""Finished calls to rows and back, and what is dropped to stay within the bounds."""

import sqlite3
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any, get_type_hints

import orjson

from mitmcache.exchange import Usage
from mitmcache.journal.event import Cost, Event
from mitmcache.journal.history_tables import recall, remember
from mitmcache.journal.ledgers import COLUMNS, HOUR, OTHERS, Group, Sums, sums_of

MAX_CALLS = 100_000
"""About 100 MB."""
MAX_GROUPS = 500
"""Rows of one hour; what comes beyond is added up under OTHERS, by provider."""
MAX_HOURS = 200_000
"""Rows of all hours, about 40 MB; the oldest hours go first."""
MAX_TEXT = 200
"""Characters of whatever a client or an upstream has named."""
MAX_PLACES = 64
BOUNDS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0),
)
"""Seconds: a histogram counts how many calls took at most so long."""

type Key = tuple[Group, str, bool]
"""Whom and what a row of `hours` is about, its ledger, and whether they were served."""

_FIELDS = {each.name: each for each in fields(Event)}
_COUNTS = tuple(each.name for each in fields(Usage))
_TEXTS = tuple(name for name, value in get_type_hints(Event).items() if value is str)
_UNSAID = dict.fromkeys(_TEXTS, "") | {"first_byte": None}
_ROW = (
    *("id", "began", "word", "provider", "host", "model", "client", "ledger", "served"),
    *COLUMNS,
    "facts",
)
_INSERT = f"INSERT INTO calls ({', '.join(_ROW)}) VALUES ({', '.join('?' * len(_ROW))})"
_WHERE = "hour = ? AND provider = ? AND host = ? AND model = ? AND client = ? AND ledger = ? AND served = ?"
_ADD = f"UPDATE hours SET {', '.join(f'{name} = {name} + ?' for name in COLUMNS)} WHERE {_WHERE}"
_BEGIN = f"INSERT INTO hours VALUES ({', '.join('?' * (7 + len(COLUMNS)))})"


def keep(db: sqlite3.Connection, events: Sequence[Event]) -> None:
    """Adds the calls. Belongs inside a transaction."""
    events = [_bounded(event) for event in events]
    sums = [sums_of(event) for event in events]
    db.executemany(_INSERT, [_row(*pair) for pair in zip(events, sums, strict=True)])
    rolled: dict[Key, Sums] = {}
    took: Counter[tuple[int, str, int]] = Counter()
    for event, each in zip(events, sums, strict=True):
        hour = int(event.began // HOUR * HOUR)
        group = Group(hour, event.provider, event.host, event.model, event.client)
        rolled.setdefault((group, event.ledger, event.served), Sums()).add(each)
        if event.served:
            kind = "hit" if event.ledger == "saved" else "miss"
            took[hour, kind, bisect_left(BOUNDS, event.duration)] += 1
    _roll(db, rolled)
    db.executemany(
        "INSERT INTO latencies VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET calls = calls + excluded.calls",
        [(*key, number) for key, number in took.items()],
    )


def drop(db: sqlite3.Connection, before: float, most: int) -> None:
    """Drops the calls that began before a time, and all but the last `most`. Belongs inside a transaction."""
    last = db.execute("SELECT max(number) FROM calls").fetchone()[0] or 0
    gone = "number <= ? OR began < ?"
    until = db.execute(f"SELECT max(began) FROM calls WHERE {gone}", (last - most, before)).fetchone()[0]
    if until is not None:
        db.execute(f"DELETE FROM calls WHERE {gone}", (last - most, before))
        remember(db, "dropped", max(until, recall(db, "dropped")))


def drop_hours(db: sqlite3.Connection, before: float) -> None:
    """Drops the sums of the hours that began before a time, and of the oldest beyond MAX_HOURS. Belongs
    inside a transaction."""
    beyond = "SELECT hour FROM hours ORDER BY hour DESC LIMIT 1 OFFSET ?"
    db.execute(f"DELETE FROM hours WHERE hour < ? OR hour <= ({beyond})", (before, MAX_HOURS))
    db.execute("DELETE FROM latencies WHERE hour < ?", (before,))


def unpack(facts: bytes) -> Event | None:
    """None: another version's, which lacks something."""
    told = {name: value for name, value in orjson.loads(facts).items() if name in _FIELDS}
    used, cost = told.get("usage"), told.get("cost")
    if used is not None:
        told["usage"] = Usage(**{name: used[name] for name in _COUNTS if name in used})
    try:
        told["cost"] = Cost(**cost) if cost else None
        return Event(**{**_UNSAID, **told, "differs": tuple(told.get("differs", ()))})
    except TypeError:
        return None


def _row(event: Event, sums: Sums) -> tuple[object, ...]:
    return (
        *(event.id, event.began, event.word, event.provider, event.host, event.model, event.client),
        *(event.ledger, event.served),
        *(getattr(sums, name) for name in COLUMNS),
        orjson.dumps(event, default=_said, option=orjson.OPT_PASSTHROUGH_DATACLASS),
    )


def _said(value: object) -> dict[str, Any]:
    """What orjson is to write of an Event, Usage or Cost: only what is said, which is a third of it."""
    if isinstance(value, Cost):
        return value._asdict()
    names = _FIELDS if isinstance(value, Event) else _COUNTS
    told = ((name, getattr(value, name)) for name in names)
    return {name: each for name, each in told if each not in (None, "", ())}


def _bounded(event: Event) -> Event:
    """With no text that is longer than it need be, or is no text for a database."""
    changed: dict[str, Any] = {
        name: _text(value)
        for name in _TEXTS
        if len(value := getattr(event, name)) > MAX_TEXT or not value.isascii()
    }
    if event.differs:
        changed["differs"] = tuple(map(_text, event.differs[:MAX_PLACES]))
    return replace(event, **changed) if changed else event


def _text(value: str) -> str:
    return value[:MAX_TEXT].encode("utf-8", "replace").decode()


def _roll(db: sqlite3.Connection, rolled: dict[Key, Sums]) -> None:
    counts: dict[int, int] = {}
    for (group, ledger, served), sums in rolled.items():
        amounts = [getattr(sums, name) for name in COLUMNS]
        if db.execute(_ADD, (*amounts, *group, ledger, served)).rowcount:
            continue
        if group.hour not in counts:
            counts[group.hour] = _count(db, group.hour)
        if counts[group.hour] >= MAX_GROUPS:
            group = group._replace(host=OTHERS, model=OTHERS, client=OTHERS)
            if db.execute(_ADD, (*amounts, *group, ledger, served)).rowcount:
                continue
        counts[group.hour] += 1
        db.execute(_BEGIN, (*group, ledger, served, *amounts))


def _count(db: sqlite3.Connection, hour: int) -> int:
    return int(db.execute("SELECT count(*) FROM hours WHERE hour = ?", (hour,)).fetchone()[0])


def rows(found: Iterable[tuple[int, bytes]]) -> Iterable[tuple[int, Event]]:
    """Numbers and calls, without those that cannot be read."""
    for number, facts in found:
        if event := unpack(facts):
            yield number, event
