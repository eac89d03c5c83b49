from collections.abc import Sequence
from pathlib import Path

import pytest

from addons.conftest import Clock, MakeRig
from addons.flows import Rig, configured, flow, flow_of, reply_of, response
from exchanges import Exchange
from exchanges.openai import CHAT, CHAT_STREAM
from mitmcache.addons.journaling import AGENT, Journaling
from mitmcache.exchange import Usage
from mitmcache.journal.event import Event
from mitmcache.journal.trace import Parent

JSON = (("content-type", "application/json"),)
DEADLINE = 60.0
TOLD = Usage(input_tokens=11, output_tokens=7, total_tokens=18)
USAGE = b'"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}'
WHOLE = b'{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"x"},'
ANSWER = WHOLE + b'"finish_reason":"stop"}],' + USAGE + b"}"


class Heard:
    def __init__(self, rig: Rig) -> None:
        self._journal = rig.get(Journaling)
        self._events: list[Event] = []
        self._journal.listen(self)

    def __call__(self, events: Sequence[Event]) -> None:
        self._events += events

    async def all(self) -> list[Event]:
        await self._journal.journal.flush(DEADLINE)
        return self._events

    async def only(self) -> Event:
        [event] = await self.all()
        return event


async def test_a_miss_and_its_hit_are_told_with_what_they_used(rig: Rig, clock: Clock) -> None:
    heard = Heard(rig)
    asked = await rig.call(flow_of(CHAT, user_agent="made/1.0 (linux)"), response(ANSWER, JSON))
    hit = await rig.call(flow_of(CHAT))
    missed, served = await heard.all()
    assert (missed.id, missed.word, missed.reason, missed.ledger) == (asked.id, "MISS", "uri-miss", "billed")
    assert (missed.provider, missed.dialect, missed.operation) == ("openai", "openai.chat", "chat")
    assert (missed.host, missed.agent, missed.status) == ("api.openai.com", "made/1.0", 200)
    assert (missed.request_size, missed.response_size) == (len(CHAT.body), len(ANSWER))
    assert (served.id, served.word, served.reason, served.ledger) == (hit.id, "HIT", "", "saved")
    assert served.tier in ("memory", "disk") and served.key == missed.key
    assert missed.usage == served.usage == TOLD


async def test_a_hit_whose_answer_was_stored_by_an_earlier_run_is_read(make_rig: MakeRig) -> None:
    first = make_rig()
    await first.call(flow_of(CHAT), response(ANSWER, JSON))
    await first.close()
    rig = make_rig()
    heard = Heard(rig)
    await rig.call(flow_of(CHAT, accept_encoding="gzip"))
    assert (await heard.only()).usage == TOLD


STREAMS = [
    ("kept", {}, 200, ""),
    ("not kept, as its caller asks", {"cache_control": "no-store"}, 200, "no-store"),
    ("of another success", {}, 203, ""),
]


@pytest.mark.parametrize(
    ("said", "code", "unstored"), [pytest.param(*case[1:], id=case[0]) for case in STREAMS]
)
async def test_a_stream_is_heard_for_what_it_used(
    rig: Rig, said: dict[str, str], code: int, unstored: str
) -> None:
    heard, asked = Heard(rig), await rig.ask(flow_of(CHAT_STREAM, **said))
    events = CHAT_STREAM.answer.replace(
        b"data: [DONE]", b'data: {"choices":[],' + USAGE + b"}\n\ndata: [DONE]"
    )
    upstream = response(events, (("content-type", "text/event-stream"),), code, length=False)
    assert b"".join(await rig.reply(asked, upstream)) == events
    event = await heard.only()
    await rig.storage.keeper.drain(DEADLINE)
    assert (event.usage, event.streamed, event.response_size) == (TOLD, True, len(events))
    assert event.unstored == unstored and rig.storage.budget.used == 0


async def test_a_bypass_is_told_with_its_reason_and_billed(rig: Rig) -> None:
    heard = Heard(rig)
    await rig.call(flow_of(CHAT, cf_aig_skip_cache="true"), response(ANSWER, JSON))
    event = await heard.only()
    assert (event.word, event.reason, event.ledger, event.usage) == ("BYPASS", "skip", "billed", TOLD)


async def test_a_miss_that_was_not_kept_says_why(rig: Rig) -> None:
    heard = Heard(rig)
    await rig.call(flow_of(CHAT), response(b'{"error":{}}', JSON, 429))
    event = await heard.only()
    assert (event.status, event.unstored, event.usage, event.served) == (429, "status", None, False)


async def test_a_call_that_breaks_off_is_told_once(rig: Rig) -> None:
    heard, asked = Heard(rig), await rig.ask(flow_of(CHAT))
    await rig.fail(asked, "Connection refused")
    await rig.fail(asked, "Connection refused")
    event = await heard.only()
    assert (event.status, event.error, event.first_byte) == (0, "Connection refused", None)


async def test_a_miss_offline_is_nobodys_bill(make_rig: MakeRig) -> None:
    rig = make_rig(llm_mode="offline")
    heard = Heard(rig)
    await rig.call(flow_of(CHAT))
    event = await heard.only()
    assert (event.status, event.ledger) == (504, "")


async def test_a_hits_head_is_there_when_it_is_found(rig: Rig, clock: Clock) -> None:
    heard = Heard(rig)
    await rig.call(flow_of(CHAT), response(ANSWER, JSON))
    asked = flow_of(CHAT)
    asked.request.timestamp_start, asked.request.timestamp_end = clock.now - 2, clock.now - 1
    await rig.call(asked)
    hit = (await heard.all())[1]
    assert (hit.decided, hit.first_byte, hit.duration) == (1.0, 2.0, 2.0)


async def test_a_policy_file_changes_the_price_of_later_calls(rig: Rig, tmp_path: Path) -> None:
    heard, file = Heard(rig), tmp_path / "policy.yaml"
    await rig.call(flow_of(CHAT), response(ANSWER, JSON))
    before = (await heard.only()).cost
    file.write_text("prices: [{input: 1000000, output: 0}]")
    rig.options.update(llm_policy=str(file))
    for addon in rig.pipeline:
        configured(rig.manager, addon, "llm_policy")
    await rig.call(flow_of(CHAT))
    _, hit = await heard.all()
    assert before and before.total < 1
    assert hit.cost and hit.cost.total == 11.0 and hit.ledger == "saved"


TRACE, SPAN = "a" * 32, "b" * 16


async def test_the_callers_span_is_told_and_goes_on_as_it_came(rig: Rig) -> None:
    heard = Heard(rig)
    asked = flow_of(CHAT, Traceparent=f"00-{TRACE}-{SPAN}-01", TraceState="b=1")
    asked.request.headers.add("tracestate", "a=2")
    before = asked.request.headers.fields
    await rig.call(asked, reply_of(CHAT))
    await rig.call(flow_of(CHAT, traceparent="00-none"))
    traced, untraced = await heard.all()
    assert (traced.parent, traced.port) == (Parent(TRACE, SPAN, 1, "b=1,a=2"), 443)
    assert (untraced.word, untraced.parent) == ("HIT", None)
    assert asked.request.headers.fields == before


async def test_what_is_no_llm_call_is_not_told(rig: Rig) -> None:
    heard = Heard(rig)
    await rig.call(flow("GET", "https://example.com/"), response(b"hello"))
    assert await heard.all() == []


async def test_a_client_cannot_say_more_of_itself_than_fits(rig: Rig) -> None:
    heard = Heard(rig)
    await rig.call(flow_of(CHAT, user_agent="x" * 1000), reply_of(CHAT))
    assert (await heard.only()).agent == "x" * AGENT


@pytest.mark.parametrize("exchange", [CHAT, CHAT_STREAM])
async def test_nothing_of_prompt_or_answer_is_told(rig: Rig, exchange: Exchange) -> None:
    heard = Heard(rig)
    await rig.call(flow_of(exchange), reply_of(exchange))
    told = repr(await heard.only())
    assert "hello" not in told.lower() and "sk-" not in told


async def test_the_time_that_a_request_took_to_come_is_told_apart(rig: Rig, clock: Clock) -> None:
    heard, asked = Heard(rig), flow_of(CHAT)
    asked.request.timestamp_start, asked.request.timestamp_end = clock.now - 3, clock.now - 2
    await rig.call(asked, response(ANSWER, JSON))
    told = await heard.only()
    assert (told.received, told.decided, told.duration) == (1.0, 2.0, 3.0)
