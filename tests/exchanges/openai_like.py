"""Providers that speak OpenAI's protocol, each with its own habit."""

from dataclasses import replace
from typing import Any

from exchanges.base import BEARER, JSON, Exchange, dump, sse
from exchanges.openai import CHAT, EVENTS, USAGE, ask, chunk, completion

AZURE = "unit.openai.azure.com"
TEXT = (chunk({"role": "assistant", "content": "Hel"}), chunk({"content": "lo"}))


def like(name: str, host: str, target: str, body: bytes, **reply: Any) -> Exchange:
    reply.setdefault("headers", BEARER)
    if "events" in reply:
        reply.setdefault("reply_type", EVENTS)
    return Exchange(name, "openai.chat", host, target, body, **reply)


def perplexity(text: str, kind: str, reason: str | None) -> dict[str, Any]:
    """Each chunk repeats the whole message so far."""
    whole = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": whole, "delta": whole, "finish_reason": reason}
    return {"id": "p-1", "model": "sonar", "object": kind, "usage": USAGE, "choices": [choice]}


STREAM = ask(stream=True)
DEPLOYMENT = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
AZURE_FIRST = {**chunk(None), "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]}

ALL: tuple[Exchange, ...] = (
    like(
        "azure chat json",
        AZURE,
        DEPLOYMENT,
        ask(),
        headers=(*JSON, ("api-key", "test-key-one")),
        reply=CHAT.reply,
        reply_headers=(("apim-request-id", "a-1"), ("x-ms-region", "Sweden Central")),
    ),
    like(
        "azure chat stream",
        AZURE,
        DEPLOYMENT,
        STREAM,
        headers=(*JSON, ("api-key", "test-key-one")),
        events=sse(AZURE_FIRST, *TEXT, chunk({}, "stop"), done=True),
    ),
    like(
        "mistral chat json",
        "api.mistral.ai",
        "/v1/chat/completions",
        ask(random_seed=1),
        reply=dump(completion({"content": "Hello"})),
    ),
    like(
        "mistral chat stream",
        "api.mistral.ai",
        "/v1/chat/completions",
        STREAM,
        events=sse(*TEXT, chunk({"content": ""}, "stop", usage=USAGE), done=True),
    ),
    like(
        "groq chat stream",
        "api.groq.com",
        "/openai/v1/chat/completions",
        STREAM,
        events=sse(*TEXT, chunk({}, "stop", x_groq={"id": "req_1", "usage": USAGE}), done=True),
    ),
    like(
        "deepseek chat stream",
        "api.deepseek.com",
        "/chat/completions",
        STREAM,
        events=(b": keep-alive\n\n", *sse(*TEXT, chunk({}, "stop", usage=USAGE), done=True)),
    ),
    like(
        "openrouter chat stream",
        "openrouter.ai",
        "/api/v1/chat/completions",
        STREAM,
        events=(
            b": OPENROUTER PROCESSING\n\n" * 2,
            *sse(
                *TEXT, chunk({"content": ""}, "stop"), chunk(None, usage={**USAGE, "cost": 1e-05}), done=True
            ),
        ),
        reply_type="text/event-stream",
    ),
    like(
        "perplexity chat stream",
        "api.perplexity.ai",
        "/chat/completions",
        STREAM,
        events=sse(
            perplexity("Hel", "chat.completion.chunk", None),
            perplexity("Hello", "chat.completion.done", "stop"),
            newline="\r\n",
        ),
    ),
    like(
        "huggingface router stream",
        "router.huggingface.co",
        "/v1/chat/completions",
        STREAM,
        events=sse(*TEXT, chunk({"content": ""}, "stop", usage=USAGE)),
    ),
    like(
        "llama.cpp chat stream",
        "localhost:8080",
        "/v1/chat/completions",
        STREAM,
        headers=JSON,
        events=sse(*TEXT, chunk({}, "stop", timings={"predicted_n": 2}), done=True),
        reply_type="text/event-stream",
        scheme="http",
    ),
    replace(CHAT, name="openai regional chat", host="eu.api.openai.com"),
)
