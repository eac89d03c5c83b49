"""Only the catalogue's hosts are decrypted, and no client loses a provider because of us."""

import ssl
from dataclasses import replace

import httpx
import pytest

import exchanges
from e2e.answers import Answer
from e2e.certs import ISSUER
from e2e.client import IDENTITY, TIMEOUT, certificate_issuer, client, outcome, register, send, trusting
from e2e.conftest import MakeProxy
from e2e.proxy import ProxyProcess
from e2e.upstream import ScriptedUpstream

OURS = "mitmproxy"
FOREIGN = "plain.example"
CATALOGUE = sorted({exchange.host for exchange in exchanges.ALL if exchange.scheme == "https"})


@pytest.mark.parametrize("host", CATALOGUE)
def test_a_host_of_the_catalogue_is_decrypted(host: str, proxy: ProxyProcess) -> None:
    assert certificate_issuer(proxy, host) == OURS


@pytest.mark.parametrize(
    "host",
    [FOREIGN, f"api.openai.com.{FOREIGN}", f"api-openai-com.{FOREIGN}", "llm.corp.example"],
)
def test_any_other_host_shows_its_own_certificate(host: str, proxy: ProxyProcess) -> None:
    assert certificate_issuer(proxy, host) == ISSUER


@pytest.mark.parametrize("h2", [False, True], ids=["http/1.1", "http/2"])
def test_traffic_to_another_host_is_untouched(
    h2: bool, proxy: ProxyProcess, upstream: ScriptedUpstream
) -> None:
    exchange = exchanges.openai.CHAT
    upstream.answer(FOREIGN, exchange.path, Answer(body=exchange.reply, headers=(("x-theirs", "1"),)))
    controls = {"cf-aig-skip-cache": "true", "cache-control": "no-store"}
    with httpx.Client(
        proxy=proxy.url,
        verify=trusting(upstream.ca_file, h2=h2),
        http2=h2,
        trust_env=False,
        timeout=TIMEOUT,
        headers={**IDENTITY, **controls},
    ) as through:
        url = f"https://{FOREIGN}{exchange.target}"
        replies = [through.post(url, content=exchange.body) for _ in range(2)]
    assert [reply.content for reply in replies] == [exchange.reply] * 2
    assert all(dict(reply.headers).keys() == {"x-theirs", "content-length"} for reply in replies)
    assert upstream.count(FOREIGN, exchange.path) == 2
    assert all(upstream.last.header(name) == value for name, value in controls.items())


def test_plain_http_to_another_host_passes_unmarked(proxy: ProxyProcess, upstream: ScriptedUpstream) -> None:
    upstream.answer(FOREIGN, "/v1/chat/completions", Answer(body=exchanges.openai.CHAT.reply))
    with client(proxy) as through:
        for _ in range(2):
            reply = through.post(f"http://{FOREIGN}/v1/chat/completions", json={})
            assert (reply.content, outcome(reply)) == (exchanges.openai.CHAT.reply, "")
    assert upstream.count(FOREIGN, "/v1/chat/completions") == 2


def test_a_client_that_refuses_our_certificate_is_let_through_and_that_is_said_once(
    make_proxy: MakeProxy, upstream: ScriptedUpstream
) -> None:
    proxy = make_proxy()
    host = exchanges.openai.HOST
    suspicious = trusting(upstream.ca_file)
    refusals = 0
    while refusals < 10:
        try:
            seen = certificate_issuer(proxy, host, suspicious)
        except ssl.SSLCertVerificationError:
            refusals += 1
        else:
            break
    assert seen == ISSUER
    assert 1 < refusals <= 5
    assert certificate_issuer(proxy, host, suspicious) == ISSUER
    # another host is another pair
    assert certificate_issuer(proxy, exchanges.anthropic.HOST) == OURS
    proxy.stop()  # by then all that it has said is here
    said = [line for line in proxy.lines if "mitmcache:" in line and host in line]
    assert len(said) == 1, said


def test_a_refusal_now_and_then_lets_nobody_through(
    make_proxy: MakeProxy, upstream: ScriptedUpstream
) -> None:
    proxy = make_proxy()
    host = exchanges.openai.HOST
    suspicious, trustful = trusting(upstream.ca_file), trusting(proxy.ca_file)
    for _ in range(5):
        with pytest.raises(ssl.SSLCertVerificationError):
            certificate_issuer(proxy, host, suspicious)
        assert certificate_issuer(proxy, host, trustful) == OURS


def test_a_host_of_the_users_own_is_cached(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    """llm_hosts names a host and the protocol that it speaks."""
    own = [
        replace(exchanges.openai.CHAT.saying(word), host="llm.corp.example"),
        replace(exchanges.openai.CHAT.saying(word), host="localhost:8123", scheme="http"),
        replace(exchanges.others.OLLAMA_STREAM.saying(word), host="localhost:9999"),
    ]
    proxy = make_proxy(llm_hosts="llm.corp.example=openai, localhost:8123=openai localhost:9999=ollama")
    with client(proxy) as through:
        for exchange in own:
            register(upstream, exchange)
            replies = [send(through, exchange) for _ in range(2)]
            assert [outcome(reply) for reply in replies] == ["MISS", "HIT"]
            assert [reply.content for reply in replies] == [exchange.answer] * 2


def test_the_users_own_allow_hosts_stay_decrypted(make_proxy: MakeProxy) -> None:
    proxy = make_proxy(allow_hosts=r"^plain\.example:443$")
    assert certificate_issuer(proxy, FOREIGN) == OURS
    assert certificate_issuer(proxy, exchanges.openai.HOST) == OURS
    assert certificate_issuer(proxy, "llm.corp.example") == ISSUER


def test_a_hit_needs_no_upstream(make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str) -> None:
    exchange = exchanges.openai.CHAT.saying(word)
    register(upstream, exchange)
    proxy = make_proxy()
    with client(proxy) as through:
        send(through, exchange)
    # a new connection, so that mitmproxy holds no upstream one for it: a hit must not make one
    register(upstream, exchange, Answer(drop="close"))
    with client(proxy) as through:
        assert outcome(send(through, exchange)) == "HIT"
    assert upstream.count(exchange.host, exchange.path) == 1
    proxy.stop()  # by then all that it has said is here
    dials = [line for line in proxy.lines if "server connect" in line]
    assert len(dials) == 1, dials
