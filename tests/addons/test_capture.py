import gzip
import threading

import pytest
from mitmproxy import http

from addons.cases import dropped, hits, made_host
from addons.conftest import Clock
from addons.flows import Rig, edit, flow, flow_of, reply_of, response, status, word
from exchanges import Exchange
from exchanges.openai import CHAT, CHAT_STREAM
from mitmcache.addons.trail import trail_of
from mitmcache.providers.base import Json
from mitmcache.reasons import Reason
from mitmcache.threads import INLINE

EVENTS = (("content-type", "text/event-stream"),)
JSON = (("content-type", "application/json"),)


def made_call() -> http.HTTPFlow:
    return flow(url="https://api.made.example/v1/chat", headers=JSON)


async def test_a_whole_reply_is_judged_kept_and_told(rig: Rig) -> None:
    asked = await rig.call(flow_of(CHAT), reply_of(CHAT))
    assert asked.response
    assert status(asked) == "mitmcache; fwd=uri-miss; fwd-status=200; stored"
    assert asked.response.headers["cf-aig-cache-status"] == "MISS"
    assert asked.response.raw_content == CHAT.reply
    assert await dropped(rig) == {} and await hits(rig, CHAT)


REFUSED = [
    ("a refusal", response(b'{"error":{}}', JSON, 429), "status"),
    ("a failure", response(b"", (), 503), "status"),
    ("another success", response(CHAT.reply, JSON, 201), "status"),
    ("nothing", response(b"", JSON), "empty"),
    ("what is no JSON", response(b"<html>", JSON), "not-json"),
    ("an error in a 200", response(b'{"error":{"message":"no"}}', JSON), "error"),
    (
        "a filtered answer",
        response(CHAT.reply.replace(b'"stop"', b'"content_filter"'), JSON),
        "content-filter",
    ),
    ("an unknown coding", response(CHAT.reply, (*JSON, ("content-encoding", "lz4"))), "encoding"),
]


@pytest.mark.parametrize(("reply", "reason"), [pytest.param(*case[1:], id=case[0]) for case in REFUSED])
async def test_what_is_no_answer_passes_as_it_is_and_says_why_it_was_not_kept(
    rig: Rig, reply: http.Response, reason: str
) -> None:
    reply = reply.copy()
    body = reply.raw_content
    asked = await rig.call(flow_of(CHAT), reply)
    assert asked.response is reply and (reply.raw_content, bool(reply.stream)) == (body, False)
    assert status(asked) == f"mitmcache; fwd=uri-miss; fwd-status={reply.status_code}; detail={reason}"
    assert await dropped(rig) == {reason: 1} and not await hits(rig, CHAT)


async def test_a_coded_reply_passes_as_it_is_and_is_kept_decoded(rig: Rig) -> None:
    packed = gzip.compress(CHAT.reply)
    asked = await rig.call(flow_of(CHAT), response(packed, (*JSON, ("content-encoding", "gzip"))))
    assert asked.response and asked.response.raw_content == packed
    hit = await rig.call(flow_of(CHAT))
    assert hit.response and hit.response.raw_content == CHAT.reply
    assert "content-encoding" not in hit.response.headers


async def test_the_upstreams_own_cache_status_stays_in_front(rig: Rig) -> None:
    asked = await rig.call(
        flow_of(CHAT), reply_of(CHAT, ("cache-status", "their; hit"), ("x-cache", "Hit from them"))
    )
    assert status(asked) == "their; hit, mitmcache; fwd=uri-miss; fwd-status=200; stored"
    assert word(asked) == "MISS"


async def test_a_bypassed_reply_is_told_and_not_kept(rig: Rig) -> None:
    for exchange in (CHAT, CHAT_STREAM):
        asked = await rig.call(flow_of(exchange, cf_aig_skip_cache="true"), reply_of(exchange))
        assert status(asked) == "mitmcache; fwd=bypass; fwd-status=200; detail=skip"
        assert not await hits(rig, exchange)
    assert await dropped(rig) == {}


async def test_a_judge_that_raises_leaves_the_reply_as_it_is(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    def judge(document: Json) -> Reason | None:
        raise RuntimeError("no such thing")

    rig.hosts(made_host(judge=judge))
    asked = await rig.call(made_call(), response(b'{"secret":1}', JSON))
    assert asked.response and asked.response.raw_content == b'{"secret":1}'
    assert status(asked) == "mitmcache; fwd=uri-miss; fwd-status=200; detail=store-error"
    assert await dropped(rig) == {"store-error": 1}
    assert [record.levelname for record in caplog.records] == ["WARNING"] and "secret" not in caplog.text


async def test_without_room_in_the_budget_a_reply_is_not_kept(rig: Rig) -> None:
    rig.storage.budget.limit = 10
    asked = await rig.call(flow_of(CHAT), reply_of(CHAT))
    assert status(asked).endswith("detail=queue-full") and await dropped(rig) == {"queue-full": 1}


@pytest.mark.parametrize(
    ("size", "coding", "inline"),
    [
        (INLINE, "", True),
        (INLINE + 1, "", False),
        (INLINE + 1, "gzip", False),
    ],
)
async def test_a_large_reply_is_judged_off_the_loop(rig: Rig, size: int, coding: str, inline: bool) -> None:
    threads: list[threading.Thread] = []

    def judge(document: Json) -> Reason | None:
        threads.append(threading.current_thread())
        return None

    rig.hosts(made_host(judge=judge))
    body = b'"' + b"1" * (size - 2) + b'"'
    fields = (*JSON, ("content-encoding", coding)) if coding else JSON
    asked = await rig.call(made_call(), response(gzip.compress(body) if coding else body, fields))
    assert status(asked).endswith("stored")
    assert [thread is threading.main_thread() for thread in threads] == [inline]


@pytest.mark.parametrize("exchange", [CHAT, CHAT_STREAM], ids=["whole", "streamed"])
async def test_a_reply_that_its_caller_does_not_want_kept_says_so(rig: Rig, exchange: Exchange) -> None:
    asked = await rig.call(flow_of(exchange, cache_control="no-store"), reply_of(exchange))
    assert status(asked).endswith("fwd-status=200; detail=no-store")
    assert await dropped(rig) == {"no-store": 1}


# an expired answer instead of a failure


@pytest.mark.parametrize(
    ("control", "code", "told"),
    [
        ("stale-if-error=50", 503, "STALE"),
        ("stale-if-error=50, no-store", 500, "STALE"),
        ("stale-if-error=49", 503, "MISS"),
        ("stale-if-error=50", 429, "MISS"),
        ("", 503, "MISS"),
    ],
)
async def test_an_expired_answer_covers_a_failure_where_it_may(
    rig: Rig, clock: Clock, control: str, code: int, told: str
) -> None:
    await rig.call(flow_of(CHAT, cf_aig_cache_ttl="100"), reply_of(CHAT))
    await rig.stored()
    clock.now += 150
    asked = await rig.call(flow_of(CHAT, cache_control=control), response(b"{}", JSON, code))
    assert asked.response and word(asked) == told
    found = await rig.stored()
    assert (found["stored"], found["hits"], found["misses"]) == (1, told == "STALE", 1 + (told == "MISS"))
    if told == "STALE":
        assert status(asked) == f"mitmcache; hit; ttl=-50; detail=status-{code}"
        assert (asked.response.status_code, asked.response.raw_content) == (200, CHAT.reply)
        assert trail_of(asked).answer is asked.response
        assert await dropped(rig) == {}


# other addons, and the user


class Answering:
    """As mitmproxy's map_local does, or a script that stands in for a provider."""

    def request(self, flow: http.HTTPFlow) -> None:
        flow.response = flow.response or response(CHAT.reply.replace(b"there", b"here"), JSON)


async def test_what_another_addon_answers_is_not_kept_as_the_upstreams(rig: Rig) -> None:
    rig.add(Answering())
    asked = await rig.call(flow_of(CHAT))
    assert asked.response and b"here" in (asked.response.raw_content or b"")
    assert (await rig.stored())["stored"] == 0


async def test_what_the_cache_answers_is_not_kept_again(rig: Rig) -> None:
    for exchange in (CHAT, CHAT_STREAM):
        await rig.call(flow_of(exchange), reply_of(exchange))
        hit = await rig.call(flow_of(exchange))
        assert hit.response and hit.response.stream is False
        assert status(hit) == "mitmcache; hit; ttl=86400"
    assert (await rig.stored())["stored"] == 2


@pytest.mark.parametrize("exchange", [CHAT, CHAT_STREAM])
async def test_the_answer_to_a_request_that_was_edited_on_its_way_is_not_kept(
    rig: Rig, exchange: Exchange
) -> None:
    asked = await rig.ask(flow_of(exchange))
    edit(asked, exchange.saying("goodbye").body)
    await rig.reply(asked, reply_of(exchange))
    assert word(asked) == "MISS" and (await rig.stored())["stored"] == 0


async def test_what_mitmproxy_streams_for_its_user_is_kept_too(rig: Rig) -> None:
    """With its stream_large_bodies."""
    asked, upstream = await rig.ask(flow_of(CHAT)), reply_of(CHAT)
    upstream.stream = True
    assert b"".join(await rig.reply(asked, upstream)) == CHAT.reply
    assert word(asked) == "MISS" and await hits(rig, CHAT)


async def test_another_addons_hold_on_a_stream_is_left_to_it(rig: Rig) -> None:
    def loud(data: bytes) -> bytes:
        return data.upper()

    asked, upstream = await rig.ask(flow_of(CHAT_STREAM)), reply_of(CHAT_STREAM)
    upstream.stream = loud
    assert b"".join(await rig.reply(asked, upstream)) == CHAT_STREAM.answer.upper()
    assert word(asked) == "MISS" and (await rig.stored())["stored"] == 0
    assert upstream.raw_content is None and await dropped(rig) == {}


async def test_a_flow_that_is_over_holds_its_request_no_longer(rig: Rig) -> None:
    """mitmweb keeps the flow."""
    for exchange in (CHAT, CHAT, CHAT_STREAM):
        asked = await rig.call(flow_of(exchange), reply_of(exchange))
        trail = trail_of(asked)
        assert (trail.call, trail.body, trail.likeness, trail.stale, trail.tap) == (None,) * 5
