"""A stream with an error in it passes like any other, and is never given again."""

from dataclasses import replace

import httpx
import pytest

import exchanges
from e2e.client import (
    answer_of,
    dropped_one,
    outcome,
    register,
    send,
)
from e2e.proxy import ProxyProcess
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange


def error_streams() -> dict[str, tuple[Exchange, tuple[bytes, ...]]]:
    """Streams that end as their protocol wants, but with an error in them."""
    chat, anthropic = exchanges.openai.CHAT_STREAM, exchanges.anthropic.MESSAGES_STREAM
    responses, gemini = exchanges.openai.RESPONSES_STREAM, exchanges.google.STREAM
    bedrock, ollama = exchanges.bedrock.CONVERSE_STREAM, exchanges.others.OLLAMA_STREAM
    by_name = {exchange.name: exchange for exchange in exchanges.STREAMS}
    groq, llama = by_name["groq chat stream"], by_name["llama.cpp chat stream"]
    error = b'{"error":{"message":"overloaded","type":"server_error","code":503}}'
    failed = b'event: response.failed\ndata: {"type":"response.failed","response":{"status":"failed"}}\n\n'
    overloaded = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":""}}\n\n'
    throttled = exchanges.bedrock.frame("throttlingException", b'{"message":"slow down"}', kind="exception")
    filtered = exchanges.base.sse(exchanges.openai.chunk({}, "content_filter"), done=True)
    return {
        "error object": (chat, (*chat.events[:2], b"data: " + error + b"\n\n", chat.events[-1])),
        "content filter": (chat, (*chat.events[:2], *filtered)),
        "error event": (groq, (*groq.events[:2], b"event: error\ndata: " + error + b"\n\n")),
        "error field": (llama, (llama.events[0], b"error: " + error + b"\n\n", llama.events[-1])),
        "anthropic error": (anthropic, (*anthropic.events[:3], overloaded)),
        "anthropic error, yet stopped": (anthropic, (overloaded, *anthropic.events)),
        "response.failed": (responses, (*responses.events[:3], failed)),
        "gemini error": (gemini, (gemini.events[0], b"data: " + error + b"\r\n\r\n", gemini.events[-1])),
        "bedrock exception": (bedrock, (*bedrock.events[:2], throttled)),
        "bedrock exception at the end": (bedrock, (*bedrock.events, throttled)),
        "bedrock frame with a wrong checksum": (
            bedrock,
            (bedrock.events[0][:-1] + b"\x00", *bedrock.events[1:]),
        ),
        "ollama error": (ollama, (ollama.events[0], b'{"error":"model runner stopped"}\n')),
        "nothing at all": (chat, ()),
    }


@pytest.mark.parametrize("case", error_streams())
def test_an_error_inside_a_200_passes_and_is_not_stored(
    case: str, proxy: ProxyProcess, upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    exchange, events = error_streams()[case]
    exchange = exchange.saying(word)
    register(upstream, exchange, replace(answer_of(exchange), events=events))
    for _ in range(2):
        before = proxy.stats()
        reply = send(h1, exchange)
        assert (reply.status_code, reply.content, outcome(reply)) == (200, b"".join(events), "MISS")
        dropped_one(proxy, before)
