import gzip
from dataclasses import replace
from typing import NoReturn

import pytest

from addons.cases import dropped, hits, made_host
from addons.conftest import MakeRig
from addons.flows import Rig, feed, flow, flow_of, reply_of, response, status, word
from exchanges import Exchange, anthropic, google
from exchanges.openai import CHAT, CHAT_STREAM, HOST, SPEECH
from mitmcache import keeper
from mitmcache.addons.trail import trail_of
from mitmcache.large import desk, records
from mitmcache.providers.base import Json

EVENTS = (("content-type", "text/event-stream"),)
JSON = (("content-type", "application/json"),)


@pytest.mark.parametrize(
    "exchange", [CHAT_STREAM, anthropic.MESSAGES_STREAM, google.STREAM, google.ARRAY_STREAM]
)
async def test_a_stream_passes_chunk_by_chunk_and_is_kept(rig: Rig, exchange: Exchange) -> None:
    asked, upstream = await rig.ask(flow_of(exchange)), reply_of(exchange)
    await rig.headers(asked, upstream)
    assert status(asked) == "mitmcache; fwd=uri-miss; fwd-status=200"
    assert feed(upstream, b"first", b"second") == [b"first", b"second"]
    asked = flow_of(exchange)
    await rig.ask(asked)
    sent = await rig.reply(asked, reply_of(exchange))
    assert len(sent) > 2 and b"".join(sent) == exchange.answer and b"" not in sent
    hit = await rig.call(flow_of(exchange))
    assert hit.response and (word(hit), hit.response.raw_content) == ("HIT", exchange.answer)


async def test_the_end_of_a_stream_adds_no_chunk(rig: Rig) -> None:
    """To mitmproxy an empty one ends a chunked body, a second time then."""
    asked, upstream = await rig.ask(flow_of(CHAT_STREAM)), reply_of(CHAT_STREAM)
    await rig.headers(asked, upstream)
    assert callable(upstream.stream) and upstream.stream(b"") == []


async def test_the_body_of_a_stream_is_there_for_mitmweb(rig: Rig) -> None:
    packed = gzip.compress(CHAT_STREAM.answer)
    upstream = response(
        packed, (*EVENTS, ("content-encoding", "gzip"), ("transfer-encoding", "chunked")), length=False
    )
    asked = await rig.call(flow_of(CHAT_STREAM), upstream)
    assert asked.response and asked.response.raw_content == packed
    assert asked.response.content == CHAT_STREAM.answer
    assert await hits(rig, CHAT_STREAM)
    assert trail_of(asked).tap is None


async def test_a_stream_that_is_no_success_is_not_streamed(rig: Rig) -> None:
    """It is short, and a later addon may want to replace it."""
    asked = await rig.call(flow_of(CHAT_STREAM), response(b"data: no\n\n", EVENTS, 529))
    assert asked.response and asked.response.stream is False
    assert status(asked) == "mitmcache; fwd=uri-miss; fwd-status=529; detail=status"


async def test_audio_passes_chunk_by_chunk(rig: Rig) -> None:
    asked = flow(url=f"https://{HOST}/v1/audio/speech", body=b'{"input":"a"}', headers=JSON)
    await rig.ask(asked)
    sent = await rig.reply(asked, response(SPEECH, (("content-type", "audio/mpeg"),)))
    assert len(sent) > 1 and b"".join(sent) == SPEECH
    assert (await rig.stored())["stored"] == 1


async def test_a_cut_stream_is_not_kept(rig: Rig) -> None:
    cut = replace(CHAT_STREAM, events=CHAT_STREAM.events[:-2])
    await rig.call(flow_of(CHAT_STREAM), reply_of(cut))
    assert await dropped(rig) == {"incomplete": 1} and not await hits(rig, CHAT_STREAM)


@pytest.mark.parametrize(("heard", "kept"), [(len(CHAT_STREAM.events), True), (2, False)])
async def test_a_stream_whose_client_left_is_kept_if_its_end_was_heard(
    rig: Rig, heard: int, kept: bool
) -> None:
    """openai-python leaves right after `[DONE]`."""
    asked, upstream = await rig.ask(flow_of(CHAT_STREAM)), reply_of(CHAT_STREAM)
    await rig.headers(asked, upstream)
    feed(upstream, *CHAT_STREAM.events[:heard])
    await rig.fail(asked)
    assert asked.response and asked.response.raw_content == b"".join(CHAT_STREAM.events[:heard])
    assert await dropped(rig) == ({} if kept else {"incomplete": 1})
    assert await hits(rig, CHAT_STREAM) is kept


@pytest.mark.parametrize("left", [False, True])
async def test_a_stream_that_only_its_clean_end_makes_whole_needs_it(rig: Rig, left: bool) -> None:
    rig.hosts(made_host())
    asked = await rig.ask(flow(url="https://api.made.example/v1/chat", headers=JSON))
    upstream = response(b"data: maybe\n\n", (*EVENTS, ("transfer-encoding", "chunked")), length=False)
    if left:
        await rig.headers(asked, upstream)
        feed(upstream, b"data: maybe\n\n")
        await rig.fail(asked)
    else:
        await rig.reply(asked, upstream)
    assert await dropped(rig) == ({"incomplete": 1} if left else {})
    assert (await rig.stored())["stored"] == (0 if left else 1)


async def test_another_success_in_stream_form_passes_unkept(rig: Rig) -> None:
    asked, upstream = await rig.ask(flow_of(CHAT_STREAM)), reply_of(CHAT_STREAM)
    upstream.status_code = 203
    assert b"".join(await rig.reply(asked, upstream)) == CHAT_STREAM.answer
    assert status(asked) == "mitmcache; fwd=uri-miss; fwd-status=203"
    assert upstream.stream and not await hits(rig, CHAT_STREAM)
    assert rig.storage.budget.used == 0


async def test_a_call_that_fails_before_its_reply_is_over(rig: Rig) -> None:
    asked = await rig.ask(flow_of(CHAT))
    await rig.fail(asked, "Connection refused")
    assert await dropped(rig) == {} and (await rig.stored())["misses"] == 1
    assert trail_of(asked).call is None


# what is too large to keep


async def test_a_reply_that_says_it_is_too_large_passes_chunk_by_chunk_unkept(make_rig: MakeRig) -> None:
    rig = make_rig(llm_max_body="300")
    asked, upstream = await rig.ask(flow_of(CHAT)), response(b"1" * 301, JSON)
    sent = await rig.reply(asked, upstream)
    assert (len(sent) > 1, b"".join(sent), upstream.stream) == (True, b"1" * 301, True)
    assert status(asked) == "mitmcache; fwd=uri-miss; fwd-status=200; detail=too-large"
    assert await dropped(rig) == {"too-large": 1}


@pytest.mark.parametrize("exchange", [CHAT, CHAT_STREAM])
async def test_a_reply_that_turns_out_too_large_passes_unkept(make_rig: MakeRig, exchange: Exchange) -> None:
    rig = make_rig(llm_max_body="200")
    asked = await rig.ask(flow_of(exchange))
    sent = await rig.reply(
        asked, response(exchange.answer, (("content-type", exchange.reply_type),), length=False)
    )
    assert b"".join(sent) == exchange.answer
    assert await dropped(rig) == {"too-large": 1} and not await hits(rig, exchange)


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of which 300 bytes are too much for it."""
    for module in (keeper, desk, records):
        monkeypatch.setattr(module, "LARGE", 300)


LONG = replace(CHAT_STREAM, events=(b": " + b"1" * 300 + b"\n\n", *CHAT_STREAM.events))
LONG_CHAT = replace(CHAT, reply=CHAT.reply.replace(b"{", b'{"more":"%s",' % (b"1" * 300), 1))


@pytest.mark.usefixtures("small_memory")
async def test_a_stream_that_is_too_large_for_memory_is_kept_and_its_body_is_not_held(rig: Rig) -> None:
    asked = await rig.ask(flow_of(LONG))
    assert b"".join(await rig.reply(asked, reply_of(LONG))) == LONG.answer
    assert asked.response and asked.response.raw_content is None
    assert await dropped(rig) == {} and (await rig.stored())["stored"] == 1


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize("long", [True, False])
async def test_a_document_that_says_it_is_too_large_for_memory_passes_chunk_by_chunk(
    rig: Rig, long: bool
) -> None:
    exchange = LONG_CHAT if long else replace(CHAT, reply=b'{"choices":[]}')
    asked, upstream = await rig.ask(flow_of(exchange)), reply_of(exchange)
    assert b"".join(await rig.reply(asked, upstream)) == exchange.answer
    assert bool(upstream.stream) is long
    assert (await rig.stored())["stored"] == long


@pytest.mark.usefixtures("small_memory")
async def test_a_document_that_turns_out_too_large_for_memory_is_kept_later(rig: Rig) -> None:
    asked = await rig.ask(flow_of(LONG_CHAT))
    await rig.reply(asked, response(LONG_CHAT.answer, JSON, length=False))
    assert status(asked) == "mitmcache; fwd=uri-miss; fwd-status=200"
    assert await dropped(rig) == {} and (await rig.stored())["stored"] == 1


async def test_without_room_in_the_budget_a_stream_passes_unkept(rig: Rig) -> None:
    rig.storage.budget.limit = 100
    asked = await rig.ask(flow_of(CHAT_STREAM))
    assert b"".join(await rig.reply(asked, reply_of(CHAT_STREAM))) == CHAT_STREAM.answer
    assert await dropped(rig) == {"queue-full": 1}


@pytest.mark.parametrize("streams", [True, False])
async def test_the_reply_to_a_call_that_we_failed_at_passes_all_the_same(rig: Rig, streams: bool) -> None:
    def prune(body: Json) -> NoReturn:
        raise RuntimeError("no such thing")

    rig.hosts(made_host(prune=prune))
    asked = await rig.ask(flow(url="https://api.made.example/v1/chat", headers=JSON))
    upstream = response(b"data: end\n\n", EVENTS if streams else JSON)
    assert b"".join(await rig.reply(asked, upstream)) == b"data: end\n\n"
    assert bool(upstream.stream) is streams
    assert status(asked) == "mitmcache; fwd=bypass; fwd-status=200; detail=store-error"
    assert await dropped(rig) == {}


async def test_a_stream_that_is_a_miss_says_where_the_nearest_request_differs(rig: Rig) -> None:
    await rig.repeat(CHAT_STREAM)
    other = CHAT_STREAM.saying("goodbye")
    asked = await rig.ask(flow_of(other))
    explaining = trail_of(asked).explaining
    near = await explaining if explaining else None
    assert near and near.places == ["messages[0].content"]
    await rig.reply(asked, reply_of(other))
    assert status(asked) == 'mitmcache; fwd=uri-miss; fwd-status=200; detail="messages[0].content"'
