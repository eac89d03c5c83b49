"""How streams end, and which of these ends make an answer to keep."""

from dataclasses import replace

import httpx
import pytest

import exchanges
from e2e.answers import Coding, Framing, Gate
from e2e.client import (
    TIMEOUT,
    answer_of,
    calls,
    client,
    dropped_one,
    outcome,
    register,
    request,
    send,
    store,
)
from e2e.proxy import ProxyProcess
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange


@pytest.mark.parametrize("exchange", exchanges.STREAM_FORMS, ids=lambda exchange: exchange.name)
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_cut_stream_is_delivered_as_it_is_and_not_stored(
    exchange: Exchange,
    framing: Framing,
    coding: Coding,
    proxy: ProxyProcess,
    upstream: ScriptedUpstream,
    h1: httpx.Client,
    word: str,
) -> None:
    exchange = exchange.saying(word)
    answer = answer_of(exchange)
    for cut in range(len(exchange.events)):
        cut_answer = replace(answer, framing=framing, cut_after=cut, coding=coding)
        register(upstream, exchange, cut_answer)
        before = proxy.stats()
        got, broken = read_raw(h1, exchange)
        assert got == b"".join(cut_answer.pieces()[:cut])
        assert broken == (framing != "close")
        dropped_one(proxy, before)
    register(upstream, exchange, replace(answer, coding=coding))
    assert store(h1, proxy, exchange).content == exchange.answer
    assert len(calls(upstream, exchange)) == len(exchange.events) + 1


def read_raw(through: httpx.Client, exchange: Exchange) -> tuple[bytes, bool]:
    """The bytes as sent, and whether the transport says that there should have been more."""
    got = b""
    reply = through.send(request(exchange), stream=True)
    try:
        for piece in reply.iter_raw():
            got += piece
    except httpx.RemoteProtocolError:
        return got, True
    finally:
        reply.close()
    return got, False


@pytest.mark.parametrize("exchange", exchanges.STREAM_FORMS, ids=lambda exchange: exchange.name)
def test_a_stream_whose_client_leaves_in_the_middle_is_not_stored(
    exchange: Exchange, proxy: ProxyProcess, upstream: ScriptedUpstream, word: str
) -> None:
    exchange, gate = exchange.saying(word), Gate()
    register(upstream, exchange, replace(answer_of(exchange), gate=gate))
    before = proxy.stats()
    gate.open()
    with client(proxy) as through:
        reply = through.send(request(exchange), stream=True)
        assert next(reply.iter_raw()) == exchange.events[0]
        reply.close()
    assert upstream.last.ended.wait(TIMEOUT), "the upstream call was not ended"
    dropped_one(proxy, before)


ENDS_BY_MARKER = [exchange for exchange in exchanges.STREAM_FORMS if exchange.host != exchanges.google.GEMINI]


@pytest.mark.parametrize("exchange", ENDS_BY_MARKER, ids=lambda exchange: exchange.name)
@pytest.mark.parametrize("h2_client", [False, True], ids=["http/1.1", "http/2"])
def test_a_stream_whose_client_leaves_right_after_the_end_marker_is_stored(
    exchange: Exchange, h2_client: bool, proxy: ProxyProcess, upstream: ScriptedUpstream, word: str
) -> None:
    """As openai-python does after `[DONE]`: the transport's own end has not been sent by then."""
    exchange, gate = exchange.saying(word), Gate()
    register(upstream, exchange, replace(answer_of(exchange), gate=gate, gated_end=True))
    before = proxy.stats()
    gate.open(len(exchange.events))
    with client(proxy, h2=h2_client) as through:
        reply = through.send(request(exchange), stream=True)
        got = b""
        for piece in reply.iter_raw():
            got += piece
            if got == exchange.answer:
                break
        reply.close()
    proxy.wait_stats(lambda stats: stats["stored"] == before["stored"] + 1)
    with client(proxy) as through:
        again = send(through, exchange)
    assert (outcome(again), again.content) == ("HIT", exchange.answer)


@pytest.mark.parametrize("exchange", exchanges.STREAM_FORMS, ids=lambda exchange: exchange.name)
def test_a_stream_is_stored_however_it_is_chunked(
    exchange: Exchange, proxy: ProxyProcess, upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    exchange = exchange.saying(word)
    whole = exchange.answer
    single = tuple(whole[at : at + 7] for at in range(0, len(whole), 7))
    register(upstream, exchange, replace(answer_of(exchange), events=single))
    assert store(h1, proxy, exchange).content == whole
    assert outcome(send(h1, exchange)) == "HIT"


@pytest.mark.parametrize("framing", ["length", "close"])
def test_a_whole_stream_is_stored_in_any_framing(
    framing: Framing, proxy: ProxyProcess, upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    for exchange in ENDS_BY_MARKER:
        exchange = exchange.saying(word)
        register(upstream, exchange, replace(answer_of(exchange), framing=framing))
        assert store(h1, proxy, exchange).content == exchange.answer
        assert outcome(send(h1, exchange)) == "HIT"


UNMARKED = [exchange for exchange in exchanges.ALL if exchange.name in ("gemini stream sse", "openai speech")]


@pytest.mark.parametrize("exchange", UNMARKED, ids=lambda exchange: exchange.name)
@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_an_answer_whose_end_only_the_transport_can_mark_is_not_stored_when_it_does_not(
    exchange: Exchange,
    framing: Framing,
    proxy: ProxyProcess,
    upstream: ScriptedUpstream,
    h1: httpx.Client,
    word: str,
) -> None:
    """All of it came, but nobody said so."""
    exchange = exchange.saying(word)
    pieces = len(exchange.events) or 1
    register(upstream, exchange, replace(answer_of(exchange), framing=framing, cut_after=pieces))
    before = proxy.stats()
    assert read_raw(h1, exchange) == (exchange.answer, framing == "chunked")
    dropped_one(proxy, before)
    register(upstream, exchange)
    assert store(h1, proxy, exchange).content == exchange.answer


def test_a_refusal_in_stream_form_is_no_answer(
    proxy: ProxyProcess, upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    exchange = exchanges.openai.CHAT_STREAM.saying(word)
    register(upstream, exchange, replace(answer_of(exchange), status=429))
    for _ in range(2):
        reply = send(h1, exchange)
        assert (reply.status_code, reply.content, outcome(reply)) == (429, exchange.answer, "MISS")


def test_other_calls_go_on_while_a_stream_is_open(
    proxy: ProxyProcess, upstream: ScriptedUpstream, h2: httpx.Client, word: str
) -> None:
    """On the same HTTP/2 connection."""
    slow, quick = exchanges.openai.CHAT_STREAM.saying(word), exchanges.anthropic.MESSAGES.saying(word)
    gate = Gate()
    register(upstream, slow, replace(answer_of(slow), gate=gate))
    register(upstream, quick)
    gate.open()
    reply = h2.send(request(slow), stream=True)
    chunks = reply.iter_raw()
    first = next(chunks)
    assert [outcome(send(h2, quick)) for _ in range(2)] == ["MISS", "HIT"]
    gate.open_for_good()
    assert first + b"".join(chunks) == slow.answer
    reply.close()
