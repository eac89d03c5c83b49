"""What the proxy tells of itself, at `http://llm.cache/` and in a miss's headers."""

from dataclasses import replace

import exchanges
from e2e.answers import Answer
from e2e.client import answer_of, client, register, send
from e2e.conftest import MakeProxy
from e2e.proxy import ProxyProcess
from e2e.upstream import ScriptedUpstream

CHAT = exchanges.openai.CHAT


def test_a_control_host_tells_how_the_proxy_is(proxy: ProxyProcess) -> None:
    with client(proxy) as through:
        for scheme in ("http", "https"):
            assert through.get(f"{scheme}://llm.cache/healthz").json() == {"status": "ok"}
            found = through.get(f"{scheme}://llm.cache/stats").json()
            counts = ("hits", "misses", "stored", "entries", "bytes")
            assert all(isinstance(found[name], int) for name in counts)
            assert isinstance(found["bypassed"], dict) and isinstance(found["dropped"], dict)
        for path in ("healthz", "stats"):
            for method in ("POST", "PUT", "DELETE"):
                assert through.request(method, f"http://llm.cache/{path}").status_code == 405
        assert through.get("http://llm.cache/elsewhere").status_code == 404


def test_statistics_count_calls_by_what_became_of_them(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    proxy = make_proxy()
    exchange, failing = CHAT.saying(word), exchanges.anthropic.MESSAGES.saying(word)
    register(upstream, exchange)
    register(upstream, failing, Answer(status=500, body=b'{"error":{}}'))
    with client(proxy) as through:
        for _ in range(3):
            send(through, exchange)
        send(through, exchange, cf_aig_skip_cache="true")
        send(through, failing)
    found = proxy.wait_stats(lambda stats: stats["stored"] == stats["entries"] == 1)
    expected = {
        "hits": 2,
        "misses": 2,
        "bypassed": {"skip": 1},
        "dropped": {"status": 1},
        "stored": 1,
        "entries": 1,
    }
    assert {name: found[name] for name in expected} == expected
    assert found["bytes"] > 0


def test_a_stored_answer_says_so_in_the_status_of_its_miss(
    proxy: ProxyProcess, upstream: ScriptedUpstream, word: str
) -> None:
    exchange = CHAT.saying(word)
    register(upstream, exchange, replace(answer_of(exchange), headers=(("cache-status", "their; hit"),)))
    with client(proxy) as through:
        told = send(through, exchange).headers["cache-status"]
    assert told.startswith("their; hit, mitmcache; fwd=uri-miss; fwd-status=200; stored")
