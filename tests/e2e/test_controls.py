"""What a caller, the options and the policy file may say, and what becomes of it."""

from dataclasses import replace
from pathlib import Path

import httpx
import pytest

import exchanges
from e2e.answers import Answer
from e2e.client import calls, client, outcome, register, send, store
from e2e.conftest import MakeProxy
from e2e.proxy import ProxyProcess
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange

CHAT = exchanges.openai.CHAT
CONTROLS = (
    "cache-control",
    "cf-aig-skip-cache",
    "cf-skip-cache",
    "cf-aig-cache-ttl",
    "cf-cache-ttl",
    "cf-aig-cache-key",
)
NEWER = Answer(body=exchanges.openai.CHAT.reply.replace(b"there", b"again"))


@pytest.mark.parametrize(
    ("name", "value", "told", "after"),
    [
        ("cf-aig-skip-cache", "true", "BYPASS", "HIT"),
        ("cf-aig-skip-cache", "TRUE", "BYPASS", "HIT"),
        ("cf-skip-cache", "true", "BYPASS", "HIT"),
        ("cf-aig-skip-cache", "false", "HIT", "HIT"),
        ("cf-aig-cache-ttl", "60", "HIT", "HIT"),
        ("cache-control", "no-cache", "MISS", "HIT"),
        ("cache-control", "No-Cache, foo=bar", "MISS", "HIT"),
        ("cache-control", "max-age=0", "MISS", "HIT"),
        ("cache-control", "max-age=3600", "HIT", "HIT"),
        ("cache-control", "min-fresh=90000", "MISS", "HIT"),
        ("cache-control", "min-fresh=60", "HIT", "HIT"),
        ("cache-control", "only-if-cached", "HIT", "HIT"),
        ("cache-control", "gibberish=;;,", "HIT", "HIT"),
    ],
)
def test_a_header_decides_over_an_answer_that_is_there(
    name: str,
    value: str,
    told: str,
    after: str,
    proxy: ProxyProcess,
    upstream: ScriptedUpstream,
    h1: httpx.Client,
    word: str,
) -> None:
    exchange = CHAT.saying(word)
    register(upstream, exchange)
    store(h1, proxy, exchange)
    register(upstream, exchange, NEWER)
    reply = send(h1, exchange, **{name: value, "x_own": "1"})
    assert outcome(reply) == told
    assert reply.content == (exchange.reply if told == "HIT" else NEWER.body)
    assert len(calls(upstream, exchange)) == (1 if told == "HIT" else 2)
    if told != "HIT":
        assert not [header for header in CONTROLS if upstream.last.header(header) is not None]
        assert upstream.last.header("x-own") == "1"
    # a miss replaces what was there; a bypass touches nothing
    last = send(h1, exchange)
    assert (outcome(last), last.content) == (after, NEWER.body if told == "MISS" else exchange.reply)


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"cf-aig-skip-cache": "true"}, ["BYPASS", "BYPASS"]),
        ({"cache-control": "no-store"}, ["MISS", "MISS"]),
        ({"cf-aig-cache-ttl": "0"}, ["MISS", "MISS"]),
        ({"cf-aig-cache-ttl": "soon"}, ["MISS", "HIT"]),
        ({"cf-cache-ttl": "1"}, ["MISS", "MISS"]),
        ({"cf-cache-ttl": "60000"}, ["MISS", "HIT"]),
    ],
)
def test_a_header_decides_what_is_kept(
    headers: dict[str, str], told: list[str], upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    exchange = CHAT.saying(word)
    register(upstream, exchange)
    assert [outcome(send(h1, exchange, **headers)) for _ in range(2)] == told
    assert not [header for header in CONTROLS if upstream.last.header(header) is not None]


@pytest.mark.parametrize("headers", [{"cf-aig-cache-ttl": "60"}, {"cf-cache-ttl": "60000"}])
def test_a_ttl_is_that_of_the_call_that_stored(
    headers: dict[str, str], upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    exchange = CHAT.saying(word)
    register(upstream, exchange)
    send(h1, exchange, **headers)
    told = send(h1, exchange).headers["cache-status"]
    assert 0 < int(told.removeprefix("mitmcache; hit; ttl=")) <= 60


def expired(proxy: ProxyProcess, upstream: ScriptedUpstream, through: httpx.Client, word: str) -> Exchange:
    """An exchange whose stored answer was fresh for one millisecond."""
    exchange = CHAT.saying(word)
    register(upstream, exchange)
    store(through, proxy, exchange, cf_cache_ttl="1")
    return exchange


@pytest.mark.parametrize(
    ("control", "told"),
    [("", "MISS"), ("max-stale", "STALE"), ("max-stale=3600", "STALE"), ("max-stale=0", "MISS")],
)
def test_an_expired_answer_is_given_only_to_who_accepts_it(
    control: str, told: str, proxy: ProxyProcess, upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    exchange = expired(proxy, upstream, h1, word)
    reply = send(h1, exchange, cache_control=control)
    assert (outcome(reply), reply.content) == (told, exchange.reply)
    expected = "mitmcache; hit; ttl=-" if told == "STALE" else "mitmcache; fwd=stale"
    assert reply.headers["cache-status"].startswith(expected)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_stale_if_error_covers_an_upstream_error(
    status: int, proxy: ProxyProcess, upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    exchange = expired(proxy, upstream, h1, word)
    register(upstream, exchange, Answer(status=status, body=b'{"error":{}}'))
    assert send(h1, exchange).status_code == status
    reply = send(h1, exchange, cache_control="stale-if-error=3600")
    assert (reply.status_code, outcome(reply), reply.content) == (200, "STALE", exchange.reply)


def test_stale_if_error_covers_no_refusal(
    proxy: ProxyProcess, upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    exchange = expired(proxy, upstream, h1, word)
    register(upstream, exchange, Answer(status=401, body=b'{"error":{}}'))
    assert send(h1, exchange, cache_control="stale-if-error=3600").status_code == 401


def test_only_if_cached_never_goes_upstream(upstream: ScriptedUpstream, h1: httpx.Client, word: str) -> None:
    for exchange in (CHAT.saying(word), exchanges.openai.CHAT_STREAM.saying(word)):
        register(upstream, exchange)
        reply = send(h1, exchange, cache_control="only-if-cached")
        assert (reply.status_code, outcome(reply)) == (504, "MISS")
        assert reply.json()["error"]["code"] == "mitmcache_miss"
        assert not calls(upstream, exchange)


def test_a_key_of_the_callers_own_stands_for_the_body(
    upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    one, two = CHAT.saying(f"{word}a"), CHAT.saying(f"{word}b")
    register(upstream, one)
    assert outcome(send(h1, one, cf_aig_cache_key=word)) == "MISS"
    assert outcome(send(h1, two, cf_aig_cache_key=word)) == "HIT"
    assert outcome(send(h1, two, cf_aig_cache_key=f"{word}x")) == "MISS"
    # inside the same scope, and for the same operation
    assert outcome(send(h1, two.bearing(authorization="Bearer other"), cf_aig_cache_key=word)) == "MISS"
    other = exchanges.openai.RESPONSES.saying(word)
    register(upstream, other)
    assert outcome(send(h1, other, cf_aig_cache_key=word)) == "MISS"


POLICY = """
rules:
  - match: {model: "gpt-never*"}
    skip: true
  - match: {path: "/v1/embeddings"}
    ttl: 7d
  - match: {host: api.anthropic.com}
    scope: shared
  - match: {model: "gpt-briefly"}
    ttl: 90s
"""


def of_model(model: str, word: str) -> Exchange:
    return replace(CHAT, body=CHAT.body.replace(exchanges.openai.MODEL.encode(), model.encode())).saying(word)


def test_the_policy_file_decides_for_who_cannot_send_headers(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, tmp_path: Path, word: str
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY, encoding="utf-8")
    proxy = make_proxy(llm_policy=str(file))
    never, brief = of_model("gpt-never-1", word), of_model("gpt-briefly", word)
    embeddings, claude = exchanges.openai.EMBEDDINGS.saying(word), exchanges.anthropic.MESSAGES.saying(word)

    def told(exchange: Exchange, **headers: str) -> str:
        register(upstream, exchange)
        with client(proxy) as through:
            return send(through, exchange, **headers).headers["cache-status"]

    assert [told(never) for _ in range(2)] == ["mitmcache; fwd=bypass; fwd-status=200; detail=policy"] * 2
    for exchange, seconds in ((embeddings, 604_800), (brief, 90)):
        assert "fwd=uri-miss" in told(exchange)
        assert seconds - 60 < int(told(exchange).removeprefix("mitmcache; hit; ttl=")) <= seconds
    assert "fwd=uri-miss" in told(claude)
    assert "hit" in told(claude.bearing(x_api_key="somebody-elses"))
