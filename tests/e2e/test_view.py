"""In mitmweb an LLM call opens as text: conversation, answer, usage, and what the cache made of it."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

import exchanges
from e2e.client import answer_of, client, outcome, register, send
from e2e.conftest import MakeProxy
from e2e.test_web import PASSWORD, flows, web
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange

SAID = {
    exchanges.openai.CHAT: "Héllo there.",
    exchanges.openai.CHAT_STREAM: "Héllo there.",
    exchanges.openai.RESPONSES_STREAM: "Hello there.",
    exchanges.anthropic.MESSAGES_STREAM: "Hello thëre.",
    exchanges.google.STREAM: "Hello thëre.",
    exchanges.google.ARRAY_STREAM: "Hello thëre.",
    exchanges.bedrock.CONVERSE_STREAM: "Hello.",
    exchanges.others.OLLAMA_STREAM: "Hello.",
}


def shown(api: httpx.Client, flow: dict[str, Any], message: str, view: str = "auto") -> dict[str, Any]:
    reply = api.get(f"/flows/{flow['id']}/{message}/content/{view}.json").raise_for_status()
    return dict(reply.json())


@pytest.mark.parametrize("exchange", SAID, ids=lambda exchange: exchange.name)
def test_a_call_opens_as_text(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str, exchange: Exchange
) -> None:
    """The miss whose body was streamed and is kept for the eye alone, and the hit."""
    proxy = make_proxy(tool="mitmweb", web_password=PASSWORD)
    asked = exchange.saying(word)
    coded = exchange is exchanges.anthropic.MESSAGES_STREAM
    register(upstream, asked, replace(answer_of(asked), coding="gzip") if coded else None)
    with client(proxy) as through, web(proxy) as api:
        assert [outcome(send(through, asked)) for _ in range(2)] == ["MISS", "HIT"]
        for flow, verdict in zip(flows(api), ("MISS", "HIT"), strict=True):
            request, reply = shown(api, flow, "request"), shown(api, flow, "response")
            assert (request["view_name"], reply["view_name"]) == ("LLM", "LLM")
            assert f"── user ──\nSay {word}." in request["text"]
            assert reply["text"].startswith(f"cache: {verdict};")
            assert f"──\n{SAID[exchange]}\n\nfinish: " in reply["text"]
            assert "\nusage: " in reply["text"]
            assert shown(api, flow, "response", "raw")["view_name"] == "Raw"
        assert "llm" in api.get("/state").json()["contentViews"]
    assert proxy.crashes == []
