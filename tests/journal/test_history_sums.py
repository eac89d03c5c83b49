import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.conftest import add
from journal.events import event
from mitmcache.exchange import Usage
from mitmcache.journal import history_sums as module
from mitmcache.journal.event import Cost
from mitmcache.journal.history_rows import BOUNDS
from mitmcache.journal.history_sums import EVERY, Filter, Histogram, call, latencies, recent, sums
from mitmcache.journal.history_upkeep import drop
from mitmcache.journal.ledgers import DAY, HOUR, OTHERS, By
from mitmcache.store.schema import transaction

START = 1_000_000 * HOUR  # the beginning of an hour, and not of a day
FULL = event(began=float(START), usage=Usage(10, 5), cost=Cost(1, 1, 2, 0))
HIT = replace(FULL, word="HIT", dialled=False, duration=0.001)


def billed(
    db: sqlite3.Connection,
    since: float,
    until: float,
    by: By | None = None,
    bucket: int = 0,
    chosen: Filter = EVERY,
) -> list[tuple[float, str, int]]:
    found = sums(db, since, until, by, bucket, chosen)
    return [(each.at, each.group, each.ledgers.billed.calls) for each in found]


def test_the_latest_calls_come_first_and_page_by_page(db: sqlite3.Connection) -> None:
    add(db, *(replace(FULL, id=str(n)) for n in range(5)))
    first = recent(db, 2, None, EVERY)
    second = recent(db, 2, first[-1].number, EVERY)
    assert [each.event.id for each in (*first, *second)] == ["4", "3", "2", "1"]


FILTERS: list[tuple[Filter, str]] = [
    (EVERY, "ab"),
    (Filter(word="HIT"), "b"),
    (Filter(model="other"), "b"),
    (Filter(provider="openai", client="127.0.0.1"), "a"),
    (Filter(host="api.openai.com"), "ab"),
    (Filter(model="' OR 1=1 --"), ""),
    (Filter(model=""), ""),
]


@pytest.mark.parametrize(("chosen", "ids"), FILTERS)
def test_calls_are_chosen_by_what_they_are(db: sqlite3.Connection, chosen: Filter, ids: str) -> None:
    add(db, replace(FULL, id="a"), replace(HIT, id="b", model="other", client="anna"))
    assert "".join(sorted(each.event.id for each in recent(db, 10, None, chosen))) == ids


def test_a_call_is_found_by_its_id_and_the_latest_of_several(db: sqlite3.Connection) -> None:
    add(db, replace(FULL, id="a"), replace(HIT, id="a"), replace(FULL, id="b"))
    assert call(db, "a") == replace(HIT, id="a")
    assert call(db, "c") is None


def test_sums_are_of_the_three_ledgers(db: sqlite3.Connection) -> None:
    add(db, FULL, HIT, HIT, replace(FULL, status=500, usage=None, cost=None))
    [only] = sums(db, START, START + HOUR, None, 0, EVERY)
    told = only.ledgers
    assert (told.billed.calls, told.saved.calls, told.served.calls) == (2, 2, 3)
    assert (told.billed.dollars, told.saved.dollars, told.served.dollars) == (2, 4, 6)


BYS: list[tuple[By, list[str]]] = [
    ("model", ["gpt-4o", "other"]),
    ("provider", ["made", "openai"]),
    ("client", ["127.0.0.1", "anna"]),
    ("host", ["api.made", "api.openai.com"]),
    ("day", [str(START // DAY * DAY), str((START + DAY) // DAY * DAY)]),
    ("hour", [str(START), str(START + DAY)]),
]


@pytest.mark.parametrize(("by", "groups"), BYS)
@pytest.mark.parametrize("rolled", [True, False])
def test_sums_can_be_grouped(db: sqlite3.Connection, by: By, groups: list[str], rolled: bool) -> None:
    other = replace(
        FULL, began=FULL.began + DAY, model="other", provider="made", client="anna", host="api.made"
    )
    add(db, FULL, other)
    shift = 0 if rolled else 1 - HOUR  # with another beginning, the first hour is read call by call
    found = billed(db, START + shift, START + 2 * DAY, by)
    assert sorted(group for _, group, _ in found) == groups


def test_buckets_begin_at_multiples_of_their_length(db: sqlite3.Connection) -> None:
    add(db, *(replace(FULL, began=START + n * 20 * 60 + 30.0) for n in range(6)))
    assert billed(db, START, START + DAY, None, HOUR) == [(START, "", 3), (START + HOUR, "", 3)]
    minutes = billed(db, START, START + 3600, None, 60)
    assert minutes == [(START, "", 1), (START + 1200, "", 1), (START + 2400, "", 1)]
    [day] = billed(db, START, START + DAY, None, DAY)
    assert day == (START // DAY * DAY, "", 6)


@given(
    st.lists(st.integers(0, 4 * HOUR - 1), max_size=30),
    st.integers(0, 4 * HOUR),
    st.integers(0, 4 * HOUR),
)
def test_sums_are_exact_where_the_calls_are_kept(times: list[int], since: int, until: int) -> None:
    with closing(memory()) as db:
        add(db, *(replace(FULL, began=float(START + at)) for at in times))
        told = billed(db, START + since, START + until)
    expected = sum(since <= at < until for at in times)
    assert told == ([(START + since, "", expected)] if expected else [])


def memory() -> sqlite3.Connection:
    from mitmcache.journal import history_tables

    db = sqlite3.connect(":memory:", isolation_level=None)
    for statement in history_tables._TABLES.strip().removesuffix(";").split(";\n"):
        db.execute(statement)
    return db


def test_sums_stay_when_calls_are_dropped_with_their_edges_as_whole_hours(db: sqlite3.Connection) -> None:
    add(db, *(replace(FULL, began=START + n * 1800.0) for n in range(10)))
    with transaction(db):
        drop(db, START + 7200.0, 100)
    assert billed(db, START, START + 5 * HOUR) == [(START, "", 10)]
    assert billed(db, START + 1000, START + 5 * HOUR) == [(START + 1000, "", 10)]
    assert billed(db, START, START + HOUR + 10) == [(START, "", 4)]
    assert billed(db, START + 10, START + 20) == [(START + 10, "", 2)]
    assert billed(db, START + 3 * HOUR + 10, START + 5 * HOUR) == [(START + 3 * HOUR + 10, "", 3)]
    assert billed(db, START, START + 5 * HOUR, None, 60)[0][0] == START + 7200


def test_sums_of_what_is_chosen(db: sqlite3.Connection) -> None:
    add(db, FULL, replace(FULL, model="other"))
    assert billed(db, START, START + HOUR, "model", 0, Filter(model="other")) == [(START, "other", 1)]
    assert billed(db, START + 1, START, "model") == []


def test_too_many_groups_are_added_up_as_others(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(db, *(replace(FULL, model=f"m{n}") for n in range(9)), replace(FULL, model="m5"))
    monkeypatch.setattr(module, "MAX_GROUPS", 3)
    found = {group: calls for _, group, calls in billed(db, START, START + HOUR, "model")}
    assert found["m5"] == 2 and found[OTHERS] == 7 and len(found) == 3


def test_quantiles_are_of_hits_and_of_misses(db: sqlite3.Connection) -> None:
    add(db, *(replace(HIT, duration=0.0015) for _ in range(99)), replace(HIT, duration=7.0))
    add(db, replace(FULL, duration=1e6))
    told = latencies(db, START + 10, START + HOUR)
    median, last = told["hit"].quantile(0.5), told["hit"].quantile(1.0)
    assert median and 0.001 < median < 0.002 and last and 5 < last <= 10
    assert told["miss"].quantile(0.99) == BOUNDS[-1]
    assert latencies(db, START + HOUR, START + 2 * HOUR)["hit"].quantile(0.5) is None


@given(st.lists(st.integers(0, 50), min_size=len(BOUNDS) + 1, max_size=len(BOUNDS) + 1))
def test_quantiles_never_fall(counts: list[int]) -> None:
    found = [Histogram(tuple(counts)).quantile(q / 20) for q in range(21)]
    if not sum(counts):
        assert set(found) == {None}
    else:
        known = [each for each in found if each is not None]
        assert len(known) == 21 and known == sorted(known)
