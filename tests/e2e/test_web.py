"""In mitmweb one sees what came from the cache, and a streamed answer's body; and it does not fill up."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx

import exchanges
from e2e.answers import Gate
from e2e.client import TIMEOUT, answer_of, client, outcome, register, request, send
from e2e.conftest import MakeProxy
from e2e.proxy import ProxyProcess
from e2e.upstream import ScriptedUpstream

PASSWORD = "a-password-of-the-test"


@contextmanager
def web(proxy: ProxyProcess) -> Iterator[httpx.Client]:
    """A client of mitmweb's own API."""
    base = f"http://127.0.0.1:{proxy.web_port}"
    bearer = {"authorization": f"Bearer {PASSWORD}"}
    with httpx.Client(base_url=base, headers=bearer, trust_env=False, timeout=TIMEOUT) as api:
        yield api


def flows(api: httpx.Client) -> list[dict[str, Any]]:
    return list(api.get("/flows").raise_for_status().json())


def said(flow: dict[str, Any]) -> tuple[str, str]:
    return flow["marked"], flow["comment"]


def test_a_flow_shows_what_became_of_the_call(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    proxy = make_proxy(tool="mitmweb", web_password=PASSWORD)
    exchange = exchanges.openai.CHAT.saying(word)
    register(upstream, exchange)
    with client(proxy) as through, web(proxy) as api:
        told = [outcome(send(through, exchange)) for _ in range(2)]
        told.append(outcome(send(through, exchange, cf_aig_skip_cache="true")))
        assert told == ["MISS", "HIT", "BYPASS"]
        shown = [said(flow) for flow in flows(api)]
        columns = api.get("/options").json()["web_columns"]["value"]
    assert len({marker for marker, _ in shown}) == 3
    assert all(marker for marker, _ in shown)
    assert [comment.partition(" ")[0].rstrip(":") for _, comment in shown] == told
    assert all(word not in comment for _, comment in shown)
    assert "comment" in columns


def test_the_body_of_a_streamed_answer_is_there(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    """On the miss that streamed it, decoded, and on the hit."""
    proxy = make_proxy(tool="mitmweb", web_password=PASSWORD)
    exchange = exchanges.anthropic.MESSAGES_STREAM.saying(word)
    register(upstream, exchange, replace(answer_of(exchange), coding="gzip"))
    with client(proxy) as through, web(proxy) as api:
        assert [outcome(send(through, exchange)) for _ in range(2)] == ["MISS", "HIT"]
        for flow in flows(api):
            reply = api.get(f"/flows/{flow['id']}/response/content.data")
            assert (reply.status_code, reply.content) == (200, exchange.answer)


def test_finished_flows_are_pruned_and_live_ones_are_not(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    proxy = make_proxy(tool="mitmweb", web_password=PASSWORD)
    slow, gate = exchanges.openai.CHAT_STREAM.saying(word), Gate()
    quick = exchanges.anthropic.MESSAGES.saying(word)
    register(upstream, slow, replace(answer_of(slow), gate=gate))
    register(upstream, quick)
    gate.open()
    with client(proxy) as waiting, client(proxy) as through, web(proxy) as api:
        reply = waiting.send(request(slow), stream=True)
        pieces = reply.iter_raw()
        first = next(pieces)
        [live] = flows(api)
        send(through, quick)
        [_, oldest] = flows(api)
        for _ in range(1050):
            assert outcome(send(through, quick)) == "HIT"
        shown = [flow["id"] for flow in flows(api)]
        assert len(shown) <= 1002
        assert live["id"] in shown
        assert oldest["id"] not in shown
        gate.open_for_good()
        assert first + b"".join(pieces) == slow.answer
        reply.close()
