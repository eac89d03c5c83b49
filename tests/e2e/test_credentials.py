"""Nobody is served what another credential paid for, and a hit gets round no authentication."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import httpx
import pytest

import exchanges
from e2e.answers import Answer, Seen
from e2e.client import calls, client, outcome, register, request, send
from e2e.conftest import MakeProxy
from e2e.proxy import ProxyProcess
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange

CHAT, CLAUDE, GEMINI = exchanges.openai.CHAT, exchanges.anthropic.MESSAGES, exchanges.google.GENERATE
[AZURE] = [exchange for exchange in exchanges.ALL if exchange.name == "azure chat json"]
ANONYMOUS: dict[str, Exchange] = {
    name: replace(exchange, headers=exchanges.base.JSON)
    for name, exchange in {"chat": CHAT, "claude": CLAUDE, "gemini": GEMINI, "azure": AZURE}.items()
}


def numbered(exchange: Exchange) -> Callable[[Seen], Answer]:
    """Answers that can be told apart."""
    numbers = count(1)
    return lambda _: Answer(body=exchange.reply[:-1] + b',"n":%d}' % next(numbers))


def with_query_key(exchange: Exchange, key: str) -> Exchange:
    return replace(exchange, target=f"{exchange.target}?key={key}")


BEARERS: dict[str, tuple[Exchange, Exchange, Exchange]] = {
    "authorization": (
        ANONYMOUS["chat"].bearing(authorization="Bearer one"),
        ANONYMOUS["chat"].bearing(authorization="Bearer two"),
        ANONYMOUS["chat"],
    ),
    "x-api-key": (
        ANONYMOUS["claude"].bearing(x_api_key="one"),
        ANONYMOUS["claude"].bearing(x_api_key="two"),
        ANONYMOUS["claude"],
    ),
    "api-key": (
        ANONYMOUS["azure"].bearing(api_key="one"),
        ANONYMOUS["azure"].bearing(api_key="two"),
        ANONYMOUS["azure"],
    ),
    "x-goog-api-key": (
        ANONYMOUS["gemini"].bearing(x_goog_api_key="one"),
        ANONYMOUS["gemini"].bearing(x_goog_api_key="two"),
        ANONYMOUS["gemini"],
    ),
    "?key=": (
        with_query_key(ANONYMOUS["gemini"], "one"),
        with_query_key(ANONYMOUS["gemini"], "two"),
        ANONYMOUS["gemini"],
    ),
    "a second credential beside the same first": (
        ANONYMOUS["claude"].bearing(authorization="Bearer zero", x_api_key="one"),
        ANONYMOUS["claude"].bearing(authorization="Bearer zero", x_api_key="two"),
        ANONYMOUS["claude"].bearing(authorization="Bearer zero"),
    ),
}


@pytest.mark.parametrize("case", BEARERS)
def test_another_credential_gets_another_answer(
    case: str, proxy: ProxyProcess, upstream: ScriptedUpstream, word: str
) -> None:
    mine, yours, nobodys = (exchange.saying(word) for exchange in BEARERS[case])
    upstream.answer(mine.host, mine.path, numbered(mine))
    with client(proxy) as through:
        firsts = [send(through, exchange) for exchange in (mine, yours, nobodys)]
        seconds = [send(through, exchange) for exchange in (mine, yours, nobodys)]
    assert [outcome(reply) for reply in firsts] == ["MISS"] * 3
    assert [outcome(reply) for reply in seconds] == ["HIT"] * 3
    assert [reply.content for reply in seconds] == [reply.content for reply in firsts]
    assert len({reply.content for reply in firsts}) == 3


def test_the_credential_goes_upstream_as_it_came(
    proxy: ProxyProcess, upstream: ScriptedUpstream, word: str
) -> None:
    with client(proxy) as through:
        for mine, *_ in BEARERS.values():
            # every case for itself: the same secret in another place is the same caller
            mine = mine.saying(f"{word}{len(upstream.seen)}")
            register(upstream, mine)
            through.send(request(mine))
            assert upstream.last.target == mine.target
            assert set(mine.headers) <= set(upstream.last.headers)


def test_a_refusal_of_one_credential_is_not_given_to_another(
    proxy: ProxyProcess, upstream: ScriptedUpstream, word: str
) -> None:
    mine, yours, _ = (exchange.saying(word) for exchange in BEARERS["authorization"])

    def judge(seen: Seen) -> Answer:
        good = seen.header("authorization") == "Bearer one"
        return Answer(body=mine.reply) if good else Answer(status=401, body=b'{"error":{"message":"no"}}')

    upstream.answer(mine.host, mine.path, judge)
    with client(proxy) as through:
        got = [send(through, exchange).status_code for exchange in (yours, mine, yours, mine)]
    assert got == [401, 200, 401, 200]


def scoped(proxy: ProxyProcess, upstream: ScriptedUpstream, word: str) -> list[str]:
    """What alice, alice with another key, bob, and bob without a key are told in turn.

    Without a key he would have been refused: he is never given what a key has paid for.
    """
    mine, yours, nobodys = (exchange.saying(word) for exchange in BEARERS["authorization"])
    register(upstream, mine)
    told = []
    for user, exchange in (("alice", mine), ("alice", yours), ("bob", mine), ("bob", nobodys)):
        with client(proxy, user=f"{user}:pw") as through:
            told.append(outcome(send(through, exchange)))
    return told


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("credential", ["MISS", "MISS", "HIT", "MISS"]),
        ("user", ["MISS", "HIT", "MISS", "MISS"]),
        ("shared", ["MISS", "HIT", "HIT", "MISS"]),
    ],
)
def test_the_scope_says_who_shares_answers(
    scope: str, expected: list[str], make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    proxy = make_proxy(llm_scope=scope, proxyauth="any")
    assert scoped(proxy, upstream, word) == expected
    assert upstream.last.header("proxy-authorization") is None


def test_a_hit_needs_the_proxys_own_authentication(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    proxy = make_proxy(proxyauth="alice:secret", llm_scope="shared")
    overtls, plain = CHAT.saying(word), exchanges.others.OLLAMA_JSON.saying(word)
    for exchange in (overtls, plain):
        register(upstream, exchange)
        with client(proxy, user="alice:secret") as through:
            assert [outcome(send(through, exchange)) for _ in range(2)] == ["MISS", "HIT"]
    for user in ("", "alice:wrong", "bob:secret"):
        with client(proxy, user=user) as through:
            with pytest.raises(httpx.ProxyError, match="407"):
                send(through, overtls)
            refused = send(through, plain)
            assert (refused.status_code, outcome(refused)) == (407, "")
            assert plain.reply not in refused.content
            assert through.get("http://llm.cache/stats").status_code == 407
    assert len(calls(upstream, overtls)) == len(calls(upstream, plain)) == 1


def signed(word: str, key_id: str, signature: str) -> Exchange:
    """As AWS clients sign: date and signature are new on each call."""
    signed_headers = "content-type;host;x-amz-date;cache-control"
    value = (
        f"AWS4-HMAC-SHA256 Credential={key_id}/20260101/us-east-1/bedrock/aws4_request, "
        f"SignedHeaders={signed_headers}, Signature={signature}"
    )
    exchange = replace(exchanges.bedrock.CONVERSE, headers=exchanges.base.JSON).saying(word)
    return exchange.bearing(authorization=value, x_amz_date=f"20260101T0000{signature[:2]}Z")


def test_sigv4_calls_hit_by_key_id_while_only_this_machine_can_ask(
    proxy: ProxyProcess, upstream: ScriptedUpstream, word: str
) -> None:
    first, again, other = (
        signed(word, "AKID1", "00"),
        signed(word, "AKID1", "11"),
        signed(word, "AKID2", "22"),
    )
    register(upstream, first)
    with client(proxy) as through:
        told = [outcome(send(through, exchange)) for exchange in (first, again, other)]
    assert told == ["MISS", "HIT", "MISS"]
    assert set(other.headers) <= set(upstream.last.headers)


def test_sigv4_calls_are_not_cached_when_others_can_ask(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    """A signature that we cannot verify would let whoever knows a key id read the answers."""
    proxy = make_proxy(listen_host="0.0.0.0")
    exchange = signed(word, "AKID1", "00")
    register(upstream, exchange)
    with client(proxy) as through:
        replies = [send(through, exchange) for _ in range(2)]
    assert [outcome(reply) for reply in replies] == ["BYPASS"] * 2
    assert proxy.stats()["bypassed"] == {"sigv4": 2}


def test_a_signed_control_header_is_left_in_place(
    proxy: ProxyProcess, upstream: ScriptedUpstream, word: str
) -> None:
    """Taking it off would make the signature wrong."""
    exchange = signed(word, "AKID1", "00")
    register(upstream, exchange)
    with client(proxy) as through:
        send(through, exchange, cache_control="no-cache", cf_aig_cache_ttl="60")
    assert upstream.last.header("cache-control") == "no-cache"
    assert upstream.last.header("cf-aig-cache-ttl") is None


def test_no_secret_is_written_anywhere(make_proxy: MakeProxy, upstream: ScriptedUpstream) -> None:
    """Neither in the log, nor in a name or the content of any file of the store."""
    secret, prompt = "sk-very-secret-1", "veryprivateprompt"
    proxy = make_proxy(proxyauth="alice:proxy-secret-1", termlog_verbosity="debug")
    exchange = exchanges.openai.CHAT.saying(prompt).bearing(authorization=f"Bearer {secret}")
    register(upstream, exchange)
    with client(proxy, user="alice:proxy-secret-1") as through:
        assert [outcome(send(through, exchange)) for _ in range(2)] == ["MISS", "HIT"]
    proxy.stop()
    told = [proxy.log, *(str(path) for path in proxy.data_dir.rglob("*"))]
    kept = b"".join(path.read_bytes() for path in proxy.data_dir.rglob("*") if path.is_file())
    for private in (secret, prompt, "proxy-secret-1", b64encode(b"alice:proxy-secret-1").decode()):
        assert not [text for text in told if private in text]
        assert private.encode() not in kept
