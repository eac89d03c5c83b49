import sqlite3

import pytest

from journal.conftest import add
from journal.events import event
from mitmcache.journal import history_upkeep as module
from mitmcache.journal.history_tables import recall
from mitmcache.journal.history_upkeep import drop, drop_hours, shrink
from mitmcache.journal.ledgers import HOUR
from mitmcache.store.schema import transaction


def kept(db: sqlite3.Connection) -> list[str]:
    return [id for (id,) in db.execute("SELECT id FROM calls ORDER BY number")]


def test_calls_are_dropped_by_age_and_by_number_and_it_is_noted_until_when(db: sqlite3.Connection) -> None:
    add(db, *(event(id=str(n), began=float(n)) for n in range(10)))
    with transaction(db):
        drop(db, 3.0, 100)
    assert kept(db) == list("3456789")
    assert recall(db, "dropped") == 2.0
    with transaction(db):
        drop(db, 0.0, 4)
    assert kept(db) == list("6789")
    assert recall(db, "dropped") == 5.0
    with transaction(db):
        drop(db, 0.0, 4)
    assert len(kept(db)) == 4 and recall(db, "dropped") == 5.0


def test_what_stays_is_not_looked_at_for_what_goes(db: sqlite3.Connection) -> None:
    add(db, *[event(id=str(each), began=1000.0 + each) for each in range(5000)])
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    db.set_progress_handler(step, 1)
    drop(db, 1001.0, 4998)
    assert db.execute("SELECT count(*) FROM calls").fetchone() == (4998,)
    db.set_progress_handler(None, 1)
    assert steps < 1000


def test_hours_are_dropped_by_age_and_by_number(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(db, *(event(began=float(n * HOUR)) for n in range(10)))
    with transaction(db):
        drop_hours(db, 2.0 * HOUR)
    assert db.execute("SELECT min(hour) FROM hours").fetchone() == (2 * HOUR,)
    assert db.execute("SELECT min(hour) FROM latencies").fetchone() == (2 * HOUR,)
    monkeypatch.setattr(module, "MAX_HOURS", 3)
    with transaction(db):
        drop_hours(db, 0.0)
    assert db.execute("SELECT min(hour), count(*) FROM hours").fetchone() == (7 * HOUR, 3)


def pages(db: sqlite3.Connection, name: str = "page_count") -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])


def test_the_file_shrinks_by_slices_to_what_the_next_calls_may_need(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SPARE", 20)
    monkeypatch.setattr(module, "SLICE", 8)
    add(db, *[event(id=str(each)) for each in range(500)])
    shrink(db)
    full = pages(db)
    with transaction(db):
        drop(db, 0, 1)
    free = pages(db, "freelist_count")
    assert free > 40
    shrink(db)
    assert pages(db) == full - 8
    while pages(db, "freelist_count") > 20:
        shrink(db)
    spared = pages(db)
    shrink(db)
    assert pages(db) == spared > full - free
