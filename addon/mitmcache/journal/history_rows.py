"""Finished calls to rows and back."""

import sqlite3
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any, get_type_hints

import orjson

from mitmcache import trimmed
from mitmcache.exchange import Usage
from mitmcache.journal.event import Cost, Event
from mitmcache.journal.ledgers import COLUMNS, HOUR, OTHERS, Group, Sums, sums_of
from mitmcache.journal.repeated import OWN, Repeated
from mitmcache.journal.trace import Parent

MAX_GROUPS = 500
"""Rows of one hour; what comes beyond is added up under OTHERS, by provider."""
MAX_TEXT = 200
"""Characters of whatever a client or an upstream has named."""
MAX_PLACES = 64
TOGETHER = 128
"""Rows of one statement."""
BOUNDS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0),
)
"""Seconds: a histogram counts how many calls took at most so long."""

type Key = tuple[Group, str, bool]
"""Whom and what a row of `hours` is about, its ledger, and whether they were served."""

_FIELDS = tuple(each.name for each in fields(Event))
_COUNTS = tuple(each.name for each in fields(Usage))
_TEXTS = tuple(name for name, value in get_type_hints(Event).items() if value is str)
_COMMON = tuple(name for name in _FIELDS if name not in OWN)
_facts_of, _counts_of, _own_of = attrgetter(*_COMMON), attrgetter(*_COUNTS), attrgetter(*OWN)
_texts_of, _amounts_of = attrgetter(*_TEXTS), attrgetter(*COLUMNS)
_LACKING = object()
_UNSAID = dict.fromkeys(_FIELDS, _LACKING) | dict.fromkeys(_TEXTS, "") | {"first_byte": None}
_ROW = (
    *("id", "began", "word", "provider", "host", "model", "client", "ledger", "served"),
    *COLUMNS,
    "facts",
)
_INSERT = f"INSERT INTO calls ({', '.join(_ROW)}) VALUES "
_PLACES = f"({', '.join('?' * len(_ROW))})"
_WHERE = "hour = ? AND provider = ? AND host = ? AND model = ? AND client = ? AND ledger = ? AND served = ?"
_ADD = f"UPDATE hours SET {', '.join(f'{name} = {name} + ?' for name in COLUMNS)} WHERE {_WHERE}"
_BEGIN = f"INSERT INTO hours VALUES ({', '.join('?' * (7 + len(COLUMNS)))})"


@dataclass(slots=True, eq=False)
class Common:
    """What the rows of calls that are alike have in common."""

    facts: bytes
    """JSON of those that are not in OWN, still without its last brace."""
    columns: tuple[object, ...]
    """Those after `began`, without the facts."""
    group: tuple[str, str, str, str]
    """A Group without its hour."""
    ledger: str
    served: bool
    sums: Sums


type Commons = Repeated[Common]


def commons() -> Commons:
    """What `keep` may remember from one batch to the next."""
    return Repeated(_common)


def keep(db: sqlite3.Connection, events: Sequence[Event], known: Commons | None = None) -> None:
    """Adds the calls. Belongs inside a transaction."""
    known = known or commons()
    pairs = [(event, known.of(event)) for event in events]
    _insert(db, pairs)
    rolled: dict[Key, Sums] = {}
    places: dict[tuple[Common, int], Sums] = {}
    took: Counter[tuple[int, str, int]] = Counter()
    for event, common in pairs:
        hour = int(event.began // HOUR * HOUR)
        sums = places.get((common, hour))
        if sums is None:
            key = (Group(hour, *common.group), common.ledger, common.served)
            sums = places[common, hour] = rolled.setdefault(key, Sums())
        sums.add(common.sums)
        if common.served:
            kind = "hit" if common.ledger == "saved" else "miss"
            took[hour, kind, bisect_left(BOUNDS, event.duration)] += 1
    _roll(db, rolled)
    db.executemany(
        "INSERT INTO latencies VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET calls = calls + excluded.calls",
        [(*key, number) for key, number in took.items()],
    )


def unpack(facts: bytes) -> Event | None:
    """None: another version's, which lacks something."""
    try:
        told = {name: value for name, value in orjson.loads(facts).items() if name in _UNSAID}
        used, cost = told.get("usage"), told.get("cost")
        if used is not None:
            told["usage"] = Usage(**{name: used[name] for name in _COUNTS if name in used})
        told["cost"] = Cost(**cost) if cost else None
        if caller := told.get("parent"):
            told["parent"] = Parent(**caller)
        told["differs"] = tuple(told.get("differs", ()))
        return Event(**{name: value for name, value in (_UNSAID | told).items() if value is not _LACKING})
    except (TypeError, ValueError):
        return None


def _common(event: Event) -> Common:
    event = _bounded(event)
    facts = _spoken(_COMMON, _facts_of(event))
    if event.usage:
        facts["usage"] = orjson.Fragment(trimmed.dumps(_spoken(_COUNTS, _counts_of(event.usage))))
    if event.cost:
        facts["cost"] = orjson.Fragment(trimmed.dumps(event.cost._asdict()))
    sums, ledger, served = sums_of(event), event.ledger, event.served
    group = (event.provider, event.host, event.model, event.client)
    columns = (event.word, *group, ledger, served, *_amounts_of(sums))
    return Common(trimmed.dumps(facts)[:-1], columns, group, ledger, served, sums)


def _insert(db: sqlite3.Connection, calls: Sequence[tuple[Event, Common]]) -> None:
    """At the end of each statement a thread waits until the event loop lets go of the interpreter, which may
    take many milliseconds while that is busy: one for each call, and they would come in faster than that. Nor
    are all rows made at once: thousands may have waited, and orjson's bytes hold 8 KB for each.
    """
    together = min(TOGETHER, db.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // len(_ROW))
    start = 0
    while left := len(calls) - start:
        # powers of two, for prepared statements are kept
        number = 1 << (min(together, left).bit_length() - 1)
        some = calls[start : start + number]
        places = ", ".join([_PLACES] * number)
        db.execute(_INSERT + places, [value for call in some for value in _row(*call)])
        start += number


def _row(event: Event, common: Common) -> tuple[object, ...]:
    own: dict[str, Any] = dict(zip(OWN, _own_of(event), strict=True))
    own["id"] = event_id = _text(event.id)
    if event.parent:
        # its state is the tracers' own, and may be longer than all the rest
        own["parent"] = event.parent._replace(state="")._asdict()
    else:
        del own["parent"]
    # two objects made one: to write again what calls have in common takes longer than all else here
    return (event_id, event.began, *common.columns, common.facts + b"," + orjson.dumps(own)[1:])


def _spoken(names: Sequence[str], values: Iterable[object]) -> dict[str, Any]:
    """Only what is said, which is a third of it."""
    return {
        name: value
        for name, value in zip(names, values, strict=True)
        if value is not None and value != "" and value != ()
    }


def _bounded(event: Event) -> Event:
    """With no text that is longer than it need be, or is no text for a database."""
    texts: tuple[str, ...] = _texts_of(event)
    changed: dict[str, Any] = {}
    if max(map(len, texts)) > MAX_TEXT or not "".join(texts).isascii():
        changed |= zip(_TEXTS, map(_text, texts), strict=True)
    if (differs := tuple(map(_text, event.differs[:MAX_PLACES]))) != event.differs:
        changed["differs"] = differs
    return replace(event, **changed) if changed else event


def _text(value: str) -> str:
    return value[:MAX_TEXT].encode("utf-8", "replace").decode()


def _roll(db: sqlite3.Connection, rolled: dict[Key, Sums]) -> None:
    counts: dict[int, int] = {}
    for (group, ledger, served), sums in rolled.items():
        amounts = _amounts_of(sums)
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
