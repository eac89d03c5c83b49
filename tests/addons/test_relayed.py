"""What the flow looks like on its way, and after it; tests/e2e/test_large.py sends the body."""

import asyncio
import io
import random
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
import pytest_asyncio
from mitmproxy import http

from addons.flows import flow, response
from made import KEY, RECORD
from mitmcache.addons.relayed import Relayed
from mitmcache.addons.trail import trail_of
from mitmcache.cache import record
from mitmcache.cache.status import Outcome
from mitmcache.large import records
from mitmcache.large.records import LargeRecord
from mitmcache.relay.origin import SECRET
from mitmcache.relay.server import Relay, RelayError
from mitmcache.store.base import LARGE, Large

BODY = random.Random(1).randbytes(LARGE + 1)
HIT = Outcome("HIT", ttl=60, age=5.9)
SECRETS = (("authorization", "Bearer one"), ("accept-encoding", "gzip"))


def large() -> LargeRecord:
    blob = record.encode(replace(RECORD, body=BODY))
    found = records.read(Large(io.BytesIO(blob), len(blob)), KEY)
    assert isinstance(found, LargeRecord)
    return found


@pytest_asyncio.fixture
async def relayed() -> AsyncIterator[Relayed]:
    made = Relayed()
    yield made
    if closing := made.done():
        await asyncio.wait_for(closing, 60)


async def fetch(asked: http.HTTPFlow) -> httpx.Response:
    """What mitmproxy does with the flow."""
    headers = list(asked.request.headers.items())
    async with httpx.AsyncClient(trust_env=False, timeout=60) as through:
        return await through.get(asked.request.url, headers=headers)


def dialled(asked: http.HTTPFlow, got: httpx.Response) -> None:
    asked.server_conn.timestamp_start = 1.0
    asked.response = response(b"", tuple(got.headers.items()), got.status_code)
    asked.response.raw_content = None


async def test_the_caller_gets_the_records_head_and_the_body_as_it_comes(relayed: Relayed) -> None:
    asked, found = flow(headers=SECRETS, body=b"prompt"), large()
    request, server = asked.request, asked.server_conn
    assert await relayed.serve(asked, found, HIT)
    got = await fetch(asked)
    dialled(asked, got)
    relayed.responseheaders(asked)
    assert (asked.request, asked.server_conn) == (request, server)
    assert asked.response and asked.response.stream is True and got.content == BODY
    assert list(asked.response.headers.items()) == [
        ("content-type", "application/json"),
        ("x-cache", "HIT"),
        ("cf-aig-cache-status", "HIT"),
        ("cache-status", "mitmcache; hit; ttl=60"),
        ("age", "5"),
        ("content-length", str(len(BODY))),
    ]
    assert trail_of(asked).answer is asked.response
    assert found.file.closed


async def test_nothing_of_the_callers_request_goes_to_the_relay_or_through_a_parent_proxy(
    relayed: Relayed,
) -> None:
    asked = flow(headers=SECRETS, body=b"prompt", mode="upstream:http://parent.example:3128")
    asked.server_conn.via = ("http", ("parent.example", 3128))
    await relayed.serve(asked, large(), HIT)
    sent = asked.request
    assert (sent.method, sent.scheme, sent.host, sent.content) == ("GET", "http", "127.0.0.1", b"")
    assert set(sent.headers) == {"Host", "Connection", SECRET}
    assert (asked.server_conn.via, asked.server_conn.address) == (None, ("127.0.0.1", sent.port))
    relayed.error(asked)
    assert asked.server_conn.via


@pytest.mark.parametrize(("version", "framing"), [("HTTP/1.1", "chunked"), ("HTTP/2.0", None)])
async def test_who_refuses_a_plain_body_gets_it_coded(
    relayed: Relayed, version: str, framing: str | None
) -> None:
    asked = flow(headers=(("accept-encoding", "gzip, identity;q=0"),), version=version)
    await relayed.serve(asked, large(), HIT)
    headers = list(asked.request.headers.items())
    async with httpx.AsyncClient(trust_env=False, timeout=60) as through:
        got = await through.get(asked.request.url, headers=headers)
    dialled(asked, got)
    relayed.responseheaders(asked)
    assert asked.response and asked.response.headers["content-encoding"] == "gzip"
    assert asked.response.headers.get("transfer-encoding") == framing
    assert "content-length" not in asked.response.headers


async def test_a_flow_that_fails_on_the_way_is_as_it_was_and_the_file_is_closed(relayed: Relayed) -> None:
    asked, found = flow(), large()
    request = asked.request
    await relayed.serve(asked, found, HIT)
    relayed.error(asked)
    assert asked.request is request and found.file.closed


async def test_another_addons_answer_stays_and_is_not_told_as_ours(relayed: Relayed) -> None:
    asked, found = flow(), large()
    request = asked.request
    trail_of(asked).outcome = HIT
    await relayed.serve(asked, found, HIT)
    theirs = asked.response = response(b"theirs")
    relayed.responseheaders(asked)
    assert (asked.response, asked.request, trail_of(asked).outcome) == (theirs, request, None)
    assert found.file.closed and not asked.error


@pytest.mark.parametrize("proof", [(), ((SECRET, "f" * 64),)])
async def test_a_strangers_answer_is_never_passed_on(
    relayed: Relayed, proof: tuple[tuple[str, str], ...], caplog: pytest.LogCaptureFixture
) -> None:
    asked, found = flow(), large()
    await relayed.serve(asked, found, HIT)
    asked.server_conn.timestamp_start = 1.0
    asked.response = response(b"wrong", proof)
    relayed.responseheaders(asked)
    assert asked.error and asked.error.msg == asked.error.KILLED_MESSAGE
    assert found.file.closed and "does not know itself" in caplog.text


async def test_where_the_relay_cannot_listen_the_flow_and_the_record_are_as_they_were(
    relayed: Relayed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: Relay) -> int:
        raise RelayError("no more sockets")

    monkeypatch.setattr(Relay, "port", fail)
    asked, found = flow(), large()
    request = asked.request
    assert not await relayed.serve(asked, found, HIT)
    assert asked.request is request and not found.file.closed


async def test_flows_that_are_not_ours_are_left_alone(relayed: Relayed) -> None:
    asked = flow()
    asked.response = response(b"theirs")
    relayed.responseheaders(asked)
    relayed.error(asked)
    assert asked.response.stream is False and relayed.done() is None
