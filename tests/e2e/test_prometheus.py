"""Prometheus scrapes a real proxy, and what the board and the rules ask of it has an answer."""

import time
from dataclasses import replace
from pathlib import Path

import exchanges
from boards import RULES, board_queries, rule_queries
from e2e.answers import Answer
from e2e.bucket import BucketProxy, Fleet
from e2e.client import client, register, send
from e2e.prometheus import Prometheus, check
from e2e.upstream import ScriptedUpstream

CHAT = exchanges.openai.CHAT
MODEL = exchanges.openai.MODEL.encode()
DEADLINE = 100.0
UNPRICED = replace(
    CHAT, body=CHAT.body.replace(MODEL, b"made-up-1"), reply=CHAT.reply.replace(MODEL, b"made-up-1")
)


def traffic(proxy: BucketProxy, upstream: ScriptedUpstream, word: str) -> None:
    """A hit, a miss, a bypass, a failure and a call of unknown price."""
    failing, unpriced = exchanges.anthropic.MESSAGES.saying(word), UNPRICED.saying(word)
    register(upstream, CHAT.saying(word))
    register(upstream, failing, Answer(status=500, body=b'{"error":{}}'))
    with client(proxy) as through:
        for _ in range(2):
            send(through, CHAT.saying(word))
        send(through, CHAT.saying(word), cf_aig_skip_cache="true")
        send(through, failing)
        register(upstream, unpriced)
        send(through, unpriced)


def healths(prometheus: Prometheus) -> dict[str, str]:
    [group] = prometheus.ask("rules")["groups"]
    return {rule["name"]: rule["health"] for rule in group["rules"]}


def test_prometheus_scrapes_a_proxy_and_every_query_has_an_answer(
    fleet: Fleet, upstream: ScriptedUpstream, tmp_path: Path, word: str
) -> None:
    proxy = fleet.proxy("one")
    with Prometheus(tmp_path / "prometheus", proxy.url) as prometheus:
        recorded = {name: query for name, query in rule_queries().items() if ":" in name}
        open_queries = {"scraped": "up == 1", **recorded, **board_queries(interval="10s", span="1m")}
        number, end = 0, time.monotonic() + DEADLINE
        while open_queries and time.monotonic() < end:
            traffic(proxy, upstream, f"{word}{number}")
            number += 1
            open_queries = {n: query for n, query in open_queries.items() if not prometheus.values(query)}
        assert not open_queries
        while "unknown" in (health := healths(prometheus)).values() and time.monotonic() < end:
            time.sleep(0.05)  # some rules have their turn after those that were asked for
        assert health == dict.fromkeys(rule_queries(), "ok")
    with client(proxy) as through:
        check("metrics", through.get("http://llm.cache/metrics").text)


def test_promtool_has_nothing_against_the_rules() -> None:
    check("rules", "", str(RULES))
