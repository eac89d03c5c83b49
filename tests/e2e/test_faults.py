"""Replies that are no answers and requests that are no JSON pass as if we were not there."""

from dataclasses import replace

import httpx
import pytest

import exchanges
from e2e.answers import Answer, successive
from e2e.client import calls, client, dropped_one, outcome, register, request, send
from e2e.conftest import MakeProxy
from e2e.proxy import ProxyProcess
from e2e.upstream import ScriptedUpstream

CHAT = exchanges.openai.CHAT
JSON = (("content-type", "application/json"),)
GOOD = CHAT.reply
ERROR = b'{"error":{"message":"no","type":"invalid_request_error"}}'


def reply_of(content: bytes) -> bytes:
    return GOOD[:-1] + b',"extra":' + content + b"}"


NO_ANSWERS: dict[str, Answer] = {
    **{
        f"status {status}": Answer(status=status, body=ERROR)
        for status in (400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 529)
    },
    "status 500 with a good body": Answer(status=500, body=GOOD),
    "status 201": Answer(status=201, body=GOOD),
    "status 204": Answer(status=204, headers=()),
    "a redirect": Answer(status=307, headers=(("location", "https://elsewhere.example/"),)),
    "an empty body": Answer(body=b""),
    "an error object": Answer(body=ERROR),
    "half a document": Answer(body=GOOD[: len(GOOD) // 2]),
    "no JSON": Answer(body=b"upstream request timeout"),
    "a page": Answer(headers=(("content-type", "text/html"),), body=b"<html>sign in</html>"),
    "null": Answer(body=b"null"),
    "a content filter": Answer(body=GOOD.replace(b'"stop"', b'"content_filter"')),
    "a false content-encoding": Answer(headers=(*JSON, ("content-encoding", "gzip")), body=GOOD),
    "an unknown content-encoding": Answer(headers=(*JSON, ("content-encoding", "x-own")), body=GOOD),
    "half a gzip": Answer(
        headers=(*JSON, ("content-encoding", "gzip")), body=Answer(body=GOOD, coding="gzip").pieces()[0][:40]
    ),
    "nesting of 5,000": Answer(body=reply_of(b"[" * 5000 + b"]" * 5000)),
    "NaN": Answer(body=reply_of(b"NaN")),
    "half a surrogate in UTF-8": Answer(body=reply_of(b'"\xed\xa0\x80"')),
}


def raw(through: httpx.Client, exchange: exchanges.Exchange) -> tuple[int, bytes, str]:
    """Status, body as sent, and outcome."""
    reply = through.send(request(exchange), stream=True)
    try:
        return reply.status_code, b"".join(reply.iter_raw()), outcome(reply)
    finally:
        reply.close()


@pytest.mark.parametrize("case", NO_ANSWERS)
def test_what_is_no_answer_passes_and_is_not_kept(
    case: str, proxy: ProxyProcess, upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    exchange, answer = CHAT.saying(word), NO_ANSWERS[case]
    register(upstream, exchange, answer)
    for _ in range(2):
        before = proxy.stats()
        assert raw(h1, exchange) == (answer.status, answer.body, "MISS")
        dropped_one(proxy, before)
    assert len(calls(upstream, exchange)) == 2


ODD_ANSWERS = {
    "duplicate keys": reply_of(b'{"a":1,"a":2}'),
    "a huge integer": reply_of(b"1" + b"0" * 400),
    "a huge float": reply_of(b"1e400"),
    "lone surrogates": reply_of(rb'"\ud800 \udfff"'),
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "space around it": b"\n " + GOOD + b"\r\n",
    "a NUL": reply_of(rb'"\u0000"'),
}


@pytest.mark.parametrize("case", ODD_ANSWERS)
def test_an_odd_answer_is_given_again_to_the_byte_or_not_at_all(
    case: str, upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    exchange = CHAT.saying(word)
    register(upstream, exchange, Answer(body=ODD_ANSWERS[case]))
    for _ in range(3):
        status, content, _ = raw(h1, exchange)
        assert (status, content) == (200, ODD_ANSWERS[case])


def asking(value: bytes) -> bytes:
    return CHAT.body[:-1] + b',"x":' + value + b"}"


DISTINCT: dict[str, tuple[bytes, bytes]] = {
    "no JSON": (b"hello {", b"hello {{"),
    "an empty body and an empty object": (b"", b"{}"),
    "duplicate keys": (asking(b'1,"x":2'), asking(b"2")),
    "duplicate keys in another order": (asking(b'1,"x":2'), asking(b'2,"x":1')),
    "NaN and Infinity": (asking(b"NaN"), asking(b"Infinity")),
    "NaN and null": (asking(b"NaN"), asking(b"null")),
    "huge integers": (asking(b"1" + b"0" * 400), asking(b"1" + b"0" * 399 + b"1")),
    "integers past 2**53": (asking(b"9007199254740992"), asking(b"9007199254740993")),
    "huge floats": (asking(b"1e400"), asking(b"2e400")),
    "lone surrogates": (asking(rb'"\ud800"'), asking(rb'"\ud801"')),
    "a lone surrogate and its replacement": (asking(rb'"\ud800"'), asking('"\ufffd"'.encode())),
    "invalid UTF-8": (asking(b'"\xff"'), asking(b'"\xfe"')),
    "deep nesting": (asking(b"[" * 5000 + b"]" * 5000), asking(b"[" * 5001 + b"]" * 5001)),
    "true and 1": (asking(b"true"), asking(b"1")),
    "text and number": (asking(b'"1"'), asking(b"1")),
    "null and nothing": (asking(b"null"), CHAT.body),
    "an array and its element": (b'["hello"]', b'"hello"'),
    "text with another normal form": (asking('"e\u0301"'.encode()), asking('"\u00e9"'.encode())),
    "order in a list": (asking(b"[1,2]"), asking(b"[2,1]")),
}


@pytest.mark.parametrize("case", DISTINCT)
def test_different_bodies_never_share_an_answer(
    case: str, upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    """And each goes upstream to the byte, and hangs or breaks nothing."""
    one, two = (replace(CHAT, body=body).bearing(authorization=f"Bearer {word}") for body in DISTINCT[case])
    answers = [Answer(body=GOOD.replace(b"there", name)) for name in (b"one", b"two")]
    upstream.answer(one.host, one.path, successive(*answers))
    got = [raw(h1, exchange) for exchange in (one, two)]
    assert got == [(200, answer.body, "MISS") for answer in answers]
    assert [seen.body for seen in calls(upstream, one)] == [one.body, two.body]
    again = [raw(h1, exchange)[1:] for exchange in (two, one)]
    assert again == [(answers[1].body, "HIT"), (answers[0].body, "HIT")]


@pytest.mark.parametrize("drop", ["close", "reset"])
@pytest.mark.parametrize("h2", [False, True], ids=["http/1.1", "http/2"])
def test_an_upstream_that_drops_the_call_costs_nothing_but_that_call(
    drop: str, h2: bool, proxy: ProxyProcess, upstream: ScriptedUpstream, word: str
) -> None:
    exchange = CHAT.saying(word)
    dropped = Answer(drop="close" if drop == "close" else "reset")
    upstream.answer(exchange.host, exchange.path, successive(dropped, Answer(body=GOOD)))
    with client(proxy, h2=h2) as through:
        assert send(through, exchange).status_code == 502
        assert [outcome(send(through, exchange)) for _ in range(2)] == ["MISS", "HIT"]


def test_a_body_over_the_limit_passes_uncached(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    proxy = make_proxy(llm_max_body="10k")
    large = replace(CHAT, body=CHAT.body.replace(b"hello", b"hello" * 3000))
    register(upstream, large)
    with client(proxy) as through:
        for _ in range(2):
            assert raw(through, large) == (200, large.reply, "BYPASS")
        assert calls(upstream, large)[0].body == large.body
        pieces = tuple(b"data: " + b"x" * 1000 + b"\n\n" for _ in range(20))
        content = (("content-type", "text/event-stream"),)
        for number, answer in enumerate(
            (
                Answer(body=reply_of(b'"' + b"x" * 20_000 + b'"')),
                Answer(body=reply_of(b'"' + b"x" * 20_000 + b'"'), framing="chunked"),
                Answer(body=reply_of(b'"' + b"x" * 200_000 + b'"'), coding="gzip"),
                Answer(headers=content, events=pieces),
            )
        ):
            exchange = CHAT.saying(f"{word}{number}")
            register(upstream, exchange, answer)
            for _ in range(2):
                before = proxy.stats()
                assert raw(through, exchange) == (200, b"".join(answer.pieces()), "MISS")
                dropped_one(proxy, before)
    found = proxy.stats()
    assert (found["stored"], found["bypassed"]) == (0, {"too-large": 2})


def test_an_answer_of_64_mib_passes_whole(
    proxy: ProxyProcess, upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    answer = Answer(body=reply_of(b'"' + b"x" * (64 << 20) + b'"'))
    for exchange in (CHAT.saying(word), CHAT.saying(f"{word}x")):
        register(upstream, exchange, answer)
        status, content, told = raw(h1, exchange)
        assert (status, told, len(content)) == (200, "MISS", len(answer.body))
        assert content == answer.body
        answer = replace(answer, framing="chunked")
    assert h1.get("http://llm.cache/healthz").status_code == 200
