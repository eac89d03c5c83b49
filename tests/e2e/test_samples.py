"""Several answers to one call, a run's own answers, and a miss explained from another process."""

import json
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx

import exchanges
from e2e.answers import Answer, successive
from e2e.client import calls, client, outcome, send, store
from e2e.conftest import MakeProxy
from e2e.proxy import ADDON, ProxyProcess
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange

CHAT = exchanges.openai.CHAT
DEADLINE = 100.0


def answers(count: int) -> list[Answer]:
    return [Answer(body=CHAT.reply.replace(b"there", b"there %d" % number)) for number in range(count)]


def prepared(upstream: ScriptedUpstream, word: str, count: int) -> Exchange:
    """CHAT about the word, to which the upstream has so many answers."""
    exchange = CHAT.saying(word)
    upstream.answer(exchange.host, exchange.path, successive(*answers(count)))
    return exchange


def test_variants_are_collected_then_take_turns_and_outlive_a_restart(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    exchange, bodies = prepared(upstream, word, 3), [answer.body for answer in answers(3)]
    proxy = make_proxy()
    with client(proxy) as through:
        replies = [send(through, exchange, x_mitmcache_variants="3") for _ in range(7)]
    assert [outcome(reply) for reply in replies] == ["MISS"] * 3 + ["HIT"] * 4
    assert [reply.content for reply in replies] == (bodies * 3)[:7]
    assert len(calls(upstream, exchange)) == 3
    assert all(seen.header("x-mitmcache-variants") is None for seen in upstream.seen)
    proxy.restart()
    with client(proxy) as through:
        again = [send(through, exchange, x_mitmcache_variants="3") for _ in range(3)]
    assert [(outcome(reply), reply.content) for reply in again] == [("HIT", body) for body in bodies]


def test_calls_at_the_same_time_collect_different_ones(
    proxy: ProxyProcess, upstream: ScriptedUpstream, word: str
) -> None:
    exchange = prepared(upstream, word, 5)

    def ask(_: int) -> httpx.Response:
        with client(proxy) as through:
            return send(through, exchange, x_mitmcache_variants="5")

    with ThreadPoolExecutor(5) as pool:
        first = list(pool.map(ask, range(5)))
    assert {reply.content for reply in first} == {answer.body for answer in answers(5)}
    assert {reply.content for reply in map(ask, range(5))} == {answer.body for answer in answers(5)}
    assert len(calls(upstream, exchange)) == 5


def test_a_retry_gets_a_new_sample_and_the_next_run_replays_it(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    exchange = prepared(upstream, word, 2)
    proxy = make_proxy(llm_serve="earlier-runs")
    with client(proxy) as through:
        replies = [send(through, exchange) for _ in range(2)]
    assert [reply.content for reply in replies] == [answer.body for answer in answers(2)]
    proxy.restart()
    with client(proxy) as through:
        replay = send(through, exchange)
    assert (outcome(replay), replay.content) == ("HIT", answers(2)[1].body)


def explained(proxy: ProxyProcess) -> bytes:
    """What the command line says of the last miss, one with a nearest request, which is on the disk shortly
    after its answer was sent."""
    end = time.monotonic() + DEADLINE
    while (done := explain(proxy)).returncode or not json.loads(done.stdout)["nearest"]:
        assert time.monotonic() < end, done.stderr
    return done.stdout


def explain(proxy: ProxyProcess) -> "subprocess.CompletedProcess[bytes]":
    places = ("--confdir", str(proxy.confdir), "--set", f"llm_data_dir={proxy.data_dir}")
    return subprocess.run(
        [sys.executable, "-m", "mitmcache", "explain", "--json", *places],
        cwd=ADDON.parent,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )


def test_a_miss_is_explained_while_the_proxy_runs_and_after(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    exchange = prepared(upstream, word, 1)
    other = replace(exchange, body=exchange.body.replace(word.encode(), f"{word}x".encode()))
    proxy = make_proxy()
    with client(proxy) as through:
        store(through, proxy, exchange)
        assert send(through, other, cache_control="only-if-cached").status_code == 504
    told = [explained(proxy)]
    proxy.stop()
    told.append(explained(proxy))
    assert told[0] == told[1] and word.encode() not in told[0]
    miss = json.loads(told[0])
    assert (miss["host"], miss["why"]) == (exchange.host, "uri-miss")
    assert miss["differs"] == ["messages[0].content"] and miss["nearest"]


def upgrade(proxy: ProxyProcess, host: str, path: str) -> bytes:
    """The status line that an upgrade to a plain-HTTP host is answered with."""
    request = (
        f"GET http://{host}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=60) as connection:
        connection.sendall(request.encode())
        return connection.recv(4096).partition(b"\r\n")[0]


def test_an_upgrade_where_a_post_would_do_is_answered_426_and_never_dials(
    make_proxy: MakeProxy, upstream: ScriptedUpstream
) -> None:
    proxy = make_proxy(llm_hosts="plain.example=openai")
    assert upgrade(proxy, "plain.example", "/v1/responses").startswith(b"HTTP/1.1 426 ")
    assert not upstream.seen
    assert b" 426 " not in upgrade(proxy, "plain.example", "/v1/realtime")
    assert [seen.path for seen in upstream.seen] == ["/v1/realtime"]
