import asyncio
import json

import pytest

from journal.events import event
from mitmcache.gateway import live
from mitmcache.gateway.live import BEAT, MISSED, MOST_READERS, MOST_TOLD, MOST_WAITING, RETRY, Full, Live

DEADLINE = 60.0


async def told(live: Live, reader: live.Reader, count: int) -> list[bytes]:
    messages = reader.messages()
    async with asyncio.timeout(DEADLINE):
        return [await anext(messages) for _ in range(count)]


async def test_a_reader_gets_every_call_from_now_on() -> None:
    made = Live()
    made.tell([event(id="before")])
    with made.reader() as reader:
        made.tell([event(id="a"), event(id="b")])
        made.tell([event(id="c")])
        first, *batches = await told(made, reader, 3)
    assert first == RETRY
    lines = [batch.decode().splitlines() for batch in batches]
    assert [line[0] for line in lines] == ["event: calls"] * 2
    assert [[call["id"] for call in json.loads(line[1].removeprefix("data: "))] for line in lines] == [
        ["a", "b"],
        ["c"],
    ]


async def test_a_name_with_a_new_line_in_it_stays_one_message() -> None:
    made = Live()
    with made.reader() as reader:
        made.tell([event(model="a\n\nevent: calls\ndata: []\u2028")])
        message = (await told(made, reader, 2))[1]
    assert message.count(b"\n") == 3 and message.endswith(b"\n\n")


async def test_a_slow_reader_is_told_that_it_has_missed_some() -> None:
    made = Live()
    with made.reader() as slow, made.reader() as quick:
        quick_messages = quick.messages()
        await anext(quick_messages)
        for number in range(MOST_WAITING + 1):
            made.tell([event(id=str(number))])
            assert str(number).encode() in await anext(quick_messages)
        assert (await told(made, slow, 2))[1] == MISSED


async def test_of_a_burst_only_the_last_are_told() -> None:
    made = Live()
    with made.reader() as reader:
        made.tell([event(id=str(number)) for number in range(MOST_TOLD + 1)])
        _, calls, missed = await told(made, reader, 3)
    assert missed == MISSED and calls.count(b'"id"') == MOST_TOLD and b'"id":"0"' not in calls


async def test_there_are_only_so_many_readers_and_one_that_leaves_makes_room() -> None:
    made = Live()
    readers = [made.reader() for _ in range(MOST_READERS)]
    for each in readers:
        each.__enter__()
    with pytest.raises(Full), made.reader():
        pass
    readers[0].__exit__(None, None, None)
    with made.reader():
        assert made.readers == MOST_READERS
    for each in readers[1:]:
        each.__exit__(None, None, None)
    assert made.readers == 0


async def test_where_nothing_happens_it_says_that_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT", 0.01)
    made = Live()
    with made.reader() as reader:
        assert await told(made, reader, 3) == [RETRY, BEAT, BEAT]
