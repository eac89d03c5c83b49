"""The second identical call of every dialect is answered from the cache, exactly as the first one was."""

import re
from dataclasses import replace

import httpx
import pytest

import exchanges
from e2e.answers import Answer, Coding
from e2e.client import answer_of, calls, outcome, register, request, send, store
from e2e.proxy import ProxyProcess
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange

CODINGS = ("identity", "gzip", "br", "zstd", "gzip, deflate, br, zstd", "*;q=0", "br;q=0, *")
NOT_REPLAYED = ("set-cookie", "x-request-id", "request-id", "apim-request-id", "openai-processing-ms")


def check_first(reply: httpx.Response, exchange: Exchange) -> None:
    """What the caller gets is the upstream's, and it is told that this went upstream."""
    assert (reply.status_code, reply.content) == (200, exchange.answer)
    assert reply.headers["content-type"] == exchange.reply_type
    for name, value in exchange.reply_headers:
        assert reply.headers[name] == value
    assert reply.headers["cf-aig-cache-status"] == "MISS"
    assert re.match(r"mitmcache; fwd=uri-miss(; |$)", reply.headers["cache-status"])
    assert "age" not in reply.headers


def check_hit(reply: httpx.Response, exchange: Exchange) -> None:
    assert (reply.status_code, reply.content) == (200, exchange.answer)
    assert reply.headers["content-type"] == exchange.reply_type
    assert outcome(reply) == reply.headers["cf-aig-cache-status"] == "HIT"
    [ttl] = re.findall(r"^mitmcache; hit; ttl=(\d+)$", reply.headers["cache-status"])
    assert 86_000 < int(ttl) <= 86_400
    assert 0 <= int(reply.headers["age"]) < 400
    assert not [name for name in NOT_REPLAYED if name in reply.headers]


@pytest.mark.parametrize("exchange", exchanges.ALL, ids=lambda exchange: exchange.name)
def test_a_repeated_call_is_a_hit_in_every_coding(
    exchange: Exchange, proxy: ProxyProcess, upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    exchange = exchange.saying(word)
    register(upstream, exchange)
    check_first(store(h1, proxy, exchange), exchange)
    for coding in CODINGS:
        check_hit(send(h1, exchange, accept_encoding=coding), exchange)
    assert len(calls(upstream, exchange)) == 1


@pytest.mark.parametrize("exchange", exchanges.MAIN, ids=lambda exchange: exchange.name)
def test_a_repeated_call_is_a_hit_over_http2(
    exchange: Exchange, proxy: ProxyProcess, upstream: ScriptedUpstream, h2: httpx.Client, word: str
) -> None:
    exchange = exchange.saying(word)
    register(upstream, exchange)
    first = store(h2, proxy, exchange)
    assert first.http_version == "HTTP/2"
    check_first(first, exchange)
    check_hit(send(h2, exchange), exchange)
    assert [seen.version for seen in calls(upstream, exchange)] == ["2"]


@pytest.mark.parametrize("exchange", exchanges.MAIN, ids=lambda exchange: exchange.name)
def test_another_question_is_another_entry(
    exchange: Exchange, upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    register(upstream, exchange)
    for other in (f"{word}a", f"{word}b"):
        assert outcome(send(h1, exchange.saying(other))) == "MISS"
    assert len(calls(upstream, exchange)) == 2


@pytest.mark.parametrize("exchange", exchanges.MAIN, ids=lambda exchange: exchange.name)
def test_the_upstream_gets_exactly_what_the_client_sent(
    exchange: Exchange, upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    exchange = exchange.saying(word)
    register(upstream, exchange)
    sent = request(exchange, x_own="1", accept_encoding="gzip, br")
    h1.send(sent)
    [seen] = calls(upstream, exchange)
    assert (seen.method, seen.target, seen.body) == (exchange.method, exchange.target, exchange.body)
    assert seen.headers == tuple((name.decode().lower(), value.decode()) for name, value in sent.headers.raw)


def test_a_transcription_hits_whatever_its_boundary(
    proxy: ProxyProcess, upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    first = exchanges.openai.TRANSCRIPTION.saying(word)
    register(upstream, first)
    store(h1, proxy, first)
    body = exchanges.openai.form("another-boundary").replace(b"hello", word.encode())
    headers = {"authorization": first.headers[0][1]}
    kind = {"content-type": "multipart/form-data; boundary=another-boundary"}
    reply = h1.post(first.url, content=body, headers={**headers, **kind})
    assert (outcome(reply), reply.content) == ("HIT", first.answer)


def test_key_order_whitespace_and_number_form_do_not_matter(
    proxy: ProxyProcess, upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    first = exchanges.openai.CHAT
    register(upstream, first)
    variants = (
        b'{"model":"m","temperature":1,"messages":[{"role":"user","content":"%b"}]}',
        b'{ "messages": [ {"content": "%b", "role": "user"} ], "temperature": 1.0, "model": "m" }\n',
        b'{"model":"m","temperature":1,"messages":[{"role":"user","content":"%b"}],"user":"another"}',
    )
    replies = [
        h1.post(first.url, content=body % word.encode(), headers=dict(first.headers)) for body in variants
    ]
    assert [outcome(reply) for reply in replies] == ["MISS", "HIT", "HIT"]


def test_a_compressed_answer_is_stored_once_for_all_codings(
    proxy: ProxyProcess, upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    codings: tuple[Coding, ...] = ("gzip", "deflate", "br", "zstd")
    for coding in codings:
        exchange = exchanges.openai.CHAT.saying(word + coding)
        register(upstream, exchange, replace(answer_of(exchange), coding=coding))
        first = store(h1, proxy, exchange, accept_encoding=coding)
        assert first.headers["content-encoding"] == coding
        assert first.content == exchange.answer
        check_hit(send(h1, exchange, accept_encoding="identity"), exchange)


def test_what_is_no_inference_call_passes_untouched(
    proxy: ProxyProcess, upstream: ScriptedUpstream, h1: httpx.Client
) -> None:
    for method, path in (("GET", "/v1/models"), ("POST", "/v1/files"), ("GET", "/v1/chat/completions")):
        upstream.answer("api.openai.com", path, Answer(body=b'{"data":[]}'))
        replies = [h1.request(method, f"https://api.openai.com{path}") for _ in range(2)]
        assert [outcome(reply) for reply in replies] == ["", ""]
        assert all("cache-status" not in reply.headers for reply in replies)
        assert upstream.count("api.openai.com", path) == 2
