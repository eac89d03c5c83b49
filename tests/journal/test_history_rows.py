import sqlite3
from contextlib import closing
from dataclasses import fields, replace
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from held import held_by, most_for
from journal.conftest import add
from journal.events import event
from mitmcache.exchange import Usage
from mitmcache.journal import history_rows as module
from mitmcache.journal.event import Cost, Event
from mitmcache.journal.history_rows import BOUNDS, MAX_TEXT, commons, keep, rows, unpack
from mitmcache.journal.ledgers import HOUR, OTHERS
from mitmcache.journal.trace import Parent
from mitmcache.store.schema import transaction

FULL = event(
    first_byte=None,
    differs=("messages[0].content", "é"),
    usage=Usage(input_tokens=11, output_tokens=0, audio_seconds=1.5),
    cost=Cost(0.25, 0.5, 0.75, -0.125),
    response_model="gpt-4o-2024-08-06",
    service_tier="flex",
    received=0.25,
    port=8443,
    parent=Parent("a" * 32, "b" * 16, 1, ""),
)


def kept(db: sqlite3.Connection) -> list[Event]:
    return [each for _, each in rows(db.execute("SELECT number, facts FROM calls ORDER BY number"))]


def test_the_full_one_has_all_that_an_event_can_have() -> None:
    assert not [each.name for each in fields(Event) if getattr(FULL, each.name) == each.default]


@pytest.mark.parametrize("told", [FULL, event(), event(usage=Usage()), event(status=0, error="reset")])
def test_a_call_comes_back_as_it_was(db: sqlite3.Connection, told: Event) -> None:
    add(db, told)
    assert kept(db) == [told]


def test_of_the_callers_span_its_state_is_not_kept(db: sqlite3.Connection) -> None:
    add(db, replace(FULL, parent=Parent("a" * 32, "b" * 16, 1, "vendor=state")))
    assert kept(db) == [FULL]


def test_hits_of_one_answer_are_kept_each_as_it_was(db: sqlite3.Connection) -> None:
    first = replace(FULL, word="HIT", dialled=False, differs=(), client="é")
    told = [
        first,
        replace(first, id="2", began=2_000_000.0, duration=0.25, decided=0.0, first_byte=0.125, received=0.5),
        replace(first, id="3", model="gpt-4o-mini"),
        replace(first, id="4", parent=None),
    ]
    known = commons()
    for batch in (told[:1], told[1:]):
        with transaction(db):
            keep(db, batch, known)
    assert kept(db) == told
    assert db.execute("SELECT id, began, model FROM calls ORDER BY number").fetchall() == [
        (each.id, each.began, each.model) for each in told
    ]
    sums = db.execute("SELECT hour, model, calls, input_tokens, dollars FROM hours ORDER BY hour, model")
    assert sums.fetchall() == [
        (997_200, "gpt-4o", 2, 22, 1.5),
        (997_200, "gpt-4o-mini", 1, 11, 0.75),
        (1_998_000, "gpt-4o", 1, 11, 0.75),
    ]


def test_a_batch_takes_less_memory_than_all_of_its_rows(db: sqlite3.Connection) -> None:
    told = [replace(FULL, word="HIT", dialled=False, differs=(), id=str(number)) for number in range(4000)]
    known = commons()
    with transaction(db):
        keep(db, told[:1], known)
        most = most_for(lambda: keep(db, told[1:], known))
    row = len(db.execute("SELECT facts FROM calls").fetchone()[0])
    assert most < len(told) * row


@pytest.mark.parametrize("number", [1, 127, 128, 129, 700])
def test_a_batch_is_kept_whole_and_in_order(db: sqlite3.Connection, number: int) -> None:
    told = [replace(FULL, id=str(each), began=1000.0 + each) for each in range(number)]
    add(db, *told)
    assert kept(db) == told
    assert db.execute("SELECT id FROM calls ORDER BY number").fetchall() == [(each.id,) for each in told]


def test_a_batch_is_written_by_few_statements(db: sqlite3.Connection) -> None:
    written: list[str] = []
    db.set_trace_callback(written.append)
    add(db, *[replace(FULL, id=str(each)) for each in range(1000)])
    assert len(written) < 30


def test_an_sqlite_that_takes_few_values_keeps_a_batch_too(db: sqlite3.Connection) -> None:
    db.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)
    told = [replace(FULL, id=str(each)) for each in range(200)]
    add(db, *told)
    assert kept(db) == told


def test_what_is_remembered_of_a_kind_of_call_takes_little_memory() -> None:
    hit = replace(FULL, word="HIT", dialled=False, differs=())
    told = [replace(hit, key=str(number)) for number in range(200)]
    known = commons()
    known.of(hit)
    assert held_by(lambda: [known.of(each) for each in told]) < len(told) * 4096


def test_what_another_version_has_kept_is_read_as_far_as_it_goes(db: sqlite3.Connection) -> None:
    add(db, FULL)
    facts: dict[str, Any] = orjson.loads(db.execute("SELECT facts FROM calls").fetchone()[0])
    newer = facts | {"more": 1, "usage": {**facts["usage"], "smells": 2}}
    assert unpack(orjson.dumps(newer)) == FULL
    assert unpack(orjson.dumps({name: facts[name] for name in facts if name != "began"})) is None
    assert unpack(orjson.dumps(facts | {"cost": {"total": 1}})) is None
    assert unpack(orjson.dumps(facts | {"parent": {"flags": 1}})) is None


HOSTILE = st.text(st.characters(), max_size=3 * MAX_TEXT)


@given(HOSTILE, HOSTILE, st.lists(HOSTILE, max_size=80))
@example("\ud800", "\udfff" * 300, ["\ud800", "é" * 300])
def test_names_of_strangers_are_cut_and_made_text(model: str, client: str, places: list[str]) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        for statement in module_tables():
            db.execute(statement)
        keep(db, [event(model=model, client=client, agent=model, differs=tuple(places))])
        [found] = kept(db)
    assert found.model == model[:MAX_TEXT].encode("utf-8", "replace").decode()
    assert len(found.client) <= MAX_TEXT and len(found.differs) <= module.MAX_PLACES


def module_tables() -> list[str]:
    from mitmcache.journal import history_tables

    return history_tables._TABLES.strip().removesuffix(";").split(";\n")


def test_calls_are_added_up_by_hour_whom_and_what(db: sqlite3.Connection) -> None:
    add(db, FULL, replace(FULL, id="2"), replace(FULL, model="other"))
    add(db, FULL, replace(FULL, began=FULL.began + HOUR))
    found = db.execute(
        "SELECT hour, model, calls, input_tokens, dollars FROM hours ORDER BY hour, model DESC"
    )
    hour = FULL.began // HOUR * HOUR
    assert found.fetchall() == [
        (hour, "other", 1, 11, 0.75),
        (hour, "gpt-4o", 3, 33, 2.25),
        (hour + HOUR, "gpt-4o", 1, 11, 0.75),
    ]


def test_how_long_whole_answers_took_is_counted_for_hits_and_misses(db: sqlite3.Connection) -> None:
    hit = replace(FULL, word="HIT", dialled=False, duration=0.001)
    add(
        db,
        hit,
        replace(hit, duration=0.0011),
        replace(FULL, duration=BOUNDS[-1] + 1),
        replace(FULL, status=500),
    )
    found = db.execute("SELECT kind, bound, calls FROM latencies ORDER BY kind, bound").fetchall()
    assert found == [("hit", 0, 1), ("hit", 1, 1), ("miss", len(BOUNDS), 1)]


def test_ten_thousand_names_in_an_hour_take_a_bounded_number_of_rows(db: sqlite3.Connection) -> None:
    for start in range(0, 10_000, 1000):
        add(db, *(event(model=f"made-{n}", client=f"10.0.0.{n % 7}") for n in range(start, start + 1000)))
    add(db, event(model="made-1", client="10.0.0.1"))
    query = "SELECT count(*), sum(calls) FROM hours"
    number, calls = db.execute(query).fetchone()
    assert number <= module.MAX_GROUPS + 1 and calls == 10_001
    others = db.execute("SELECT calls FROM hours WHERE model = ?", (OTHERS,)).fetchall()
    assert others == [(10_000 - module.MAX_GROUPS,)]
