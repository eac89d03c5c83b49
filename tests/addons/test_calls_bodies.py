"""Which bodies are collected, and what is read of them."""

import asyncio
import gzip
import threading
import zlib

import pytest
import zstandard
from mitmproxy import http

from addons import flows
from addons.flows import Rig, flow, flow_of, reply_of, response
from exchanges.openai import CHAT
from mitmcache.addons import calls
from mitmcache.addons.calls import Calls
from mitmcache.addons.options import Options
from mitmcache.addons.trail import trail_of
from mitmcache.exchange import Call
from mitmcache.providers.catalogue import user_host
from mitmcache.reasons import Reason
from mitmcache.threads import INLINE
from mitmcache.wire.coding import decode


async def seen(asked: http.HTTPFlow, *hosts: str) -> Call | None:
    options = Options()
    options.current = flows.with_hosts(options.current, *(user_host(host) for host in hosts))
    addon = Calls(options)
    addon.requestheaders(asked)
    if decoding := addon.request(asked):
        await decoding
    return trail_of(asked).call


GRPC = (("content-type", "application/grpc+proto"),)
CONNECT = (("content-type", "application/connect+proto"),)
LARGE = calls.MAX_BUFFERED + 1
BIG = (("content-length", str(LARGE)),)
REQUESTS = [
    ("gRPC, which talks both ways", flow(url="https://plain.example/a", headers=GRPC), True),
    ("Connect", flow(url="https://plain.example/a", headers=CONNECT), True),
    ("a large upload", flow(url="https://api.openai.com/v1/files", headers=BIG), True),
    ("a small upload", flow(url="https://api.openai.com/v1/files", body=b"1" * 100), False),
    (
        "a length that is no number",
        flow(url="https://plain.example/", headers=(("content-length", "²"),)),
        False,
    ),
    ("a large call, whose body is the key", flow(headers=BIG), False),
]


@pytest.mark.parametrize(("asked", "streamed"), [pytest.param(*case[1:], id=case[0]) for case in REQUESTS])
async def test_a_request_that_is_none_of_our_business_is_not_collected(
    asked: http.HTTPFlow, streamed: bool
) -> None:
    await seen(asked)
    assert bool(asked.request.stream) is streamed


SSE = (("content-type", "text/event-stream"),)
REPLIES = [
    ("events", response(headers=SSE, length=False), True),
    ("NDJSON", response(headers=(("content-type", "application/x-ndjson"),), length=False), True),
    ("gRPC", response(headers=GRPC, length=False), True),
    ("a large download", response(headers=BIG, length=False), True),
    ("a small document", response(b"{}", (("content-type", "application/json"),)), False),
]


@pytest.mark.parametrize(("reply", "streamed"), [pytest.param(*case[1:], id=case[0]) for case in REPLIES])
async def test_a_reply_that_is_none_of_our_business_is_not_collected(
    rig: Rig, reply: http.Response, streamed: bool
) -> None:
    passing = await rig.ask(flow("GET", "https://api.openai.com/v1/assistants"))
    await rig.headers(passing, reply)
    assert bool(reply.stream) is streamed
    assert "x-cache" not in reply.headers


async def test_a_call_that_was_streamed_upstream_is_none(rig: Rig) -> None:
    """With mitmproxy's stream_large_bodies its body is gone, and another's must not stand for it."""
    asked = flow_of(CHAT)
    rig.get(Calls).requestheaders(asked)
    asked.request.stream, asked.request.raw_content = True, None
    rig.get(Calls).request(asked)
    assert trail_of(asked).call is None
    await rig.headers(asked, response(headers=SSE, length=False))
    assert asked.response and asked.response.stream is True


CODINGS = {
    "gzip": gzip.compress(CHAT.body),
    "zstd": zstandard.ZstdCompressor().compress(CHAT.body),
    "deflate": zlib.compress(CHAT.body),
}


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_coded_body_is_decoded_for_the_key_alone(rig: Rig, coding: str) -> None:
    await rig.call(flow_of(CHAT), reply_of(CHAT))
    asked = flow_of(CHAT, content_encoding=coding)
    asked.request.raw_content = CODINGS[coding]
    await rig.ask(asked)
    assert asked.response and flows.word(asked) == "HIT"
    assert asked.request.raw_content == CODINGS[coding]
    assert asked.request.headers["content-encoding"] == coding


@pytest.mark.parametrize(
    ("coding", "body"),
    [("gzip", b"no"), ("lz4", b"any"), ("gzip", b""), ("gzip", CODINGS["gzip"][:-4])],
    ids=["rubbish", "unknown", "nothing", "cut short"],
)
async def test_a_body_that_cannot_be_decoded_is_taken_as_sent(coding: str, body: bytes) -> None:
    asked = flow(headers=(("content-encoding", coding),))
    asked.request.raw_content = body
    call = await seen(asked)
    assert call and (call.body, call.unread) == (body, Reason.ENCODING if body else None)


@pytest.mark.parametrize(("size", "inline"), [(INLINE, True), (INLINE + 1, False)])
async def test_a_body_that_decodes_to_much_is_decoded_off_the_loop(
    size: int, inline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def spy(data: bytes, encoding: str, limit: int) -> bytes:
        made = decode(data, encoding, limit)
        threads.append(threading.current_thread())
        return made

    monkeypatch.setattr("mitmcache.addons.calls.decode", spy)
    asked = flow(headers=(("content-encoding", "gzip"),))
    asked.request.raw_content = gzip.compress(b"1" * size)
    call = await seen(asked)
    assert call and len(call.body) == size
    assert [thread is threading.main_thread() for thread in threads] == [inline]


async def test_a_body_that_decodes_to_more_than_is_kept_is_taken_as_sent() -> None:
    options = Options()
    asked = flow(headers=(("content-encoding", "gzip"),))
    bomb = gzip.compress(b"1" * (options.current.max_body + 1))
    asked.request.raw_content = bomb
    call = await asyncio.wait_for(seen(asked), 30)
    assert call and (call.body, call.unread) == (bomb, Reason.TOO_LARGE)
