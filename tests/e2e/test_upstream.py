"""The scripted upstream does what it is told: without that, no test beside this one means anything."""

from collections.abc import Iterator

import httpx
import pytest

import exchanges
from e2e.answers import Answer, Coding, Framing, Gate, Seen, successive
from e2e.client import TIMEOUT, trusting
from e2e.upstream import ScriptedUpstream

HOST = "localhost"
EVENTS = (b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n")
STREAM = (("content-type", "text/event-stream"),)


@pytest.fixture(params=["http/1.1", "http/1.1 over TLS", "http/2"])
def direct(request: pytest.FixtureRequest, upstream: ScriptedUpstream) -> Iterator[httpx.Client]:
    """A client of the upstream itself. `localhost` is not in its certificate: Host alone names it."""
    tls = request.param != "http/1.1"
    h2 = request.param == "http/2"
    base = f"https://127.0.0.1:{upstream.tls_port}" if tls else f"http://127.0.0.1:{upstream.port}"
    context = trusting(upstream.ca_file, h2=h2)
    context.check_hostname = False
    with httpx.Client(
        base_url=base,
        verify=context,
        http2=h2,
        headers={"host": HOST},
        trust_env=False,
        timeout=TIMEOUT,
    ) as client:
        yield client


def test_records_each_request_and_counts_it(direct: httpx.Client, upstream: ScriptedUpstream) -> None:
    upstream.answer(HOST, "/a", Answer(body=b"{}"))
    for _ in range(2):
        assert direct.post("/a?b=c", content=b"x" * 100_000, headers={"x-mine": "1"}).content == b"{}"
    seen = upstream.last
    assert (seen.method, seen.host, seen.target, len(seen.body)) == ("POST", HOST, "/a?b=c", 100_000)
    assert seen.header("x-mine") == "1"
    assert upstream.count(HOST, "/a") == 2


@pytest.mark.parametrize("coding", ["", "gzip", "deflate", "br", "zstd"])
def test_each_event_is_sent_when_its_gate_opens(
    direct: httpx.Client, upstream: ScriptedUpstream, coding: Coding
) -> None:
    gate = Gate()
    upstream.answer(HOST, "/s", Answer(headers=STREAM, events=EVENTS, gate=gate, coding=coding))
    gate.open()
    with direct.stream("GET", "/s") as reply:
        got = []
        for piece in reply.iter_bytes():
            if piece:
                got.append(piece)
                gate.open()
    assert tuple(got) == EVENTS


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_a_cut_stream_ends_as_its_framing_lets_it(
    direct: httpx.Client, upstream: ScriptedUpstream, framing: Framing
) -> None:
    upstream.answer(HOST, "/cut", Answer(headers=STREAM, events=EVENTS, framing=framing, cut_after=2))
    got = b""
    broken = False
    try:
        with direct.stream("GET", "/cut") as reply:
            for piece in reply.iter_raw():
                got += piece
    except httpx.RemoteProtocolError:
        broken = True
    assert (got, broken) == (b"".join(EVENTS[:2]), framing != "close")


@pytest.mark.parametrize("drop", ["close", "reset"])
def test_a_dropped_request_gets_no_reply(direct: httpx.Client, upstream: ScriptedUpstream, drop: str) -> None:
    upstream.answer(HOST, "/drop", Answer(drop="close" if drop == "close" else "reset"))
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        direct.get("/drop")


def test_a_client_that_leaves_ends_its_reply(direct: httpx.Client, upstream: ScriptedUpstream) -> None:
    upstream.answer(HOST, "/left", Answer(events=EVENTS, gate=(gate := Gate())))
    gate.open()
    with direct.stream("GET", "/left") as reply:
        next(reply.iter_raw())
    direct.close()
    assert upstream.last.ended.wait(TIMEOUT)


def test_answers_may_be_made_from_the_request_or_come_in_turn(
    direct: httpx.Client, upstream: ScriptedUpstream
) -> None:
    def echo(seen: Seen) -> Answer:
        return Answer(body=seen.body)

    upstream.answer(HOST, "/echo", echo)
    upstream.answer(HOST, "/turns", successive(Answer(status=503), Answer(body=b"ok")))
    assert direct.post("/echo", content=b"me").content == b"me"
    assert [direct.get("/turns").status_code for _ in range(3)] == [503, 200, 200]


@pytest.mark.parametrize("exchange", exchanges.ALL, ids=lambda exchange: exchange.name)
def test_an_exchange_can_be_told_apart_and_has_one_reply(exchange: exchanges.Exchange) -> None:
    assert bool(exchange.reply) != bool(exchange.events)
    assert exchange.saying("other").body != exchange.body
