import asyncio
from collections.abc import Sequence

import pytest

from journal.events import USED, event
from mitmcache.exchange import Reply, Usage
from mitmcache.journal.event import Cost, Event
from mitmcache.journal.journal import KNOWN, MAX_HELD, MAX_WAITING, Journal

DEADLINE = 60.0
REPLY = Reply(200, (("content-type", "application/json"),), USED)
COST = Cost(0.25, 0.5, 0.75, 0.0)
VERSION = ("k" * 64, 1000.0)


class Told:
    def __init__(self) -> None:
        self.batches: list[list[Event]] = []
        self.once = asyncio.Event()

    def __call__(self, events: Sequence[Event]) -> None:
        self.batches.append(list(events))
        self.once.set()

    @property
    def events(self) -> list[Event]:
        return [each for batch in self.batches for each in batch]


async def test_what_was_noted_is_told_in_one_batch_and_in_order() -> None:
    journal, told = Journal(), Told()
    journal.listen(told)
    for number in range(3):
        journal.note(event(id=str(number)))
    await journal.flush(DEADLINE)
    assert [[each.id for each in batch] for batch in told.batches] == [["0", "1", "2"]]


async def test_it_is_told_without_being_asked() -> None:
    journal, told = Journal(), Told()
    journal.listen(told)
    journal.note(event())
    async with asyncio.timeout(DEADLINE):
        await told.once.wait()


async def test_what_a_reply_says_was_used_is_told_with_its_cost() -> None:
    journal, told = Journal(lambda event, used: COST), Told()
    journal.listen(told)
    journal.note(event(), REPLY)
    await journal.flush(DEADLINE)
    [only] = told.events
    assert only.usage == Usage(input_tokens=11, output_tokens=7, total_tokens=18)
    assert only.cost == COST


async def test_a_known_answer_is_not_read_again_but_another_version_of_it_is() -> None:
    priced: list[str] = []

    def price(event: Event, used: Usage) -> Cost:
        priced.append(event.id)
        return COST

    journal, told = Journal(price), Told()
    journal.listen(told)
    for number, version in enumerate([VERSION, VERSION, (VERSION[0], 2000.0)]):
        journal.note(event(id=str(number)), REPLY, version)
        await journal.flush(DEADLINE)
    assert priced == ["0", "2"]
    assert journal.knows(VERSION) and not journal.knows((VERSION[0], 3000.0))
    assert [each.cost for each in told.events] == [COST, COST, COST]
    assert {each.usage for each in told.events} == {told.events[0].usage} != {None}


async def test_what_an_answer_says_of_itself_is_told_of_its_hits_too() -> None:
    journal, told = Journal(lambda event, used: COST), Told()
    journal.listen(told)
    named = Reply(200, REPLY.headers, b'{"model":"gpt-4o-2024","service_tier":"flex",' + USED[1:])
    for number in range(2):
        journal.note(event(id=str(number)), named, VERSION)
        await journal.flush(DEADLINE)
    assert [(each.response_model, each.service_tier) for each in told.events] == [("gpt-4o-2024", "flex")] * 2


async def test_other_prices_hold_from_then_on_for_known_answers_too() -> None:
    journal, told = Journal(lambda event, used: COST), Told()
    journal.listen(told)
    for number, price in enumerate([COST, COST._replace(total=9.0), None]):
        journal.price_by(lambda event, used, price=price: price)  # type: ignore[misc]
        journal.note(event(id=str(number)), REPLY, VERSION)
        await journal.flush(DEADLINE)
    assert [each.cost for each in told.events] == [COST, COST._replace(total=9.0), None]
    assert {each.usage for each in told.events} == {told.events[0].usage} != {None}


async def test_a_price_that_changes_while_a_reply_is_read_is_not_remembered() -> None:
    def change(event: Event, used: Usage) -> Cost:
        journal.price_by(lambda event, used: None)
        return COST

    journal, told = Journal(change), Told()
    journal.listen(told)
    for number in range(2):
        journal.note(event(id=str(number)), REPLY, VERSION)
        await journal.flush(DEADLINE)
    assert [each.cost for each in told.events] == [COST, None]


async def test_who_hears_and_fails_does_not_keep_others_from_hearing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(events: Sequence[Event]) -> None:
        raise ValueError("broken")

    journal, told = Journal(), Told()
    journal.listen(fail)
    journal.listen(told)
    journal.note(event())
    await journal.flush(DEADLINE)
    assert len(told.events) == 1 and "could not be told" in caplog.text


async def test_a_price_that_fails_leaves_the_cost_unknown_and_the_usage_known(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(event: Event, used: Usage) -> Cost:
        raise LookupError(event.model)

    journal, told = Journal(fail), Told()
    journal.listen(told)
    journal.note(event(), REPLY)
    await journal.flush(DEADLINE)
    assert told.events[0].usage and told.events[0].cost is None
    assert "could not be read" in caplog.text


async def test_no_more_wait_than_may() -> None:
    journal, told = Journal(), Told()
    journal.listen(told)
    for _ in range(MAX_WAITING + 5):
        journal.note(event())
    await journal.flush(DEADLINE)
    assert (len(told.events), journal.lost) == (MAX_WAITING, 5)


async def test_replies_beyond_the_limit_are_told_unread_and_those_after_are_read() -> None:
    journal, told = Journal(), Told()
    journal.listen(told)
    large = Reply(200, REPLY.headers, b" " * (MAX_HELD - len(USED)) + USED)
    journal.note(event(id="large"), large)
    journal.note(event(id="beyond"), REPLY)
    await journal.flush(DEADLINE)
    journal.note(event(id="after"), REPLY)
    await journal.flush(DEADLINE)
    assert {each.id: each.usage is not None for each in told.events} == {
        "large": True,
        "beyond": False,
        "after": True,
    }


async def test_what_is_known_of_answers_is_bounded() -> None:
    journal, told = Journal(), Told()
    journal.listen(told)
    for number in range(KNOWN + 10):
        journal.note(event(), REPLY, (f"{number:064x}", 1.0))
        if number % 4000 == 0:
            await journal.flush(DEADLINE)
    await journal.flush(DEADLINE)
    assert len(journal._known) == KNOWN


async def test_without_listeners_nothing_is_kept() -> None:
    journal = Journal()
    journal.note(event(), REPLY)
    await journal.flush(DEADLINE)
    assert not journal._batches.waiting and journal._batches.working is None


async def test_what_waits_to_be_told_is_counted() -> None:
    journal, told = Journal(), Told()
    journal.listen(told)
    journal.note(event(), REPLY)
    journal.note(event())
    assert journal.waiting == (2, len(USED))
    await journal.flush(DEADLINE)
    assert journal.waiting == (0, 0)
