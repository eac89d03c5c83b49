"""Cohere and Ollama, whose protocols are their own."""

from typing import Any

from exchanges.base import BEARER, JSON, Exchange, dump, named_sse, ndjson

COHERE = "api.cohere.com"
OLLAMA = "localhost:11434"
ASK_V2 = {"model": "command-r7b-12-2024", "messages": [{"role": "user", "content": "Say hello."}]}
ASK_V1 = {"model": "command-r", "message": "Say hello."}
UNITS = {"billed_units": {"input_tokens": 4, "output_tokens": 2}}
TEXT_BLOCK = {"message": {"content": {"type": "text", "text": ""}}}
V2_EVENTS: list[dict[str, Any]] = [
    {"type": "message-start", "id": "m-1", "delta": {"message": {"role": "assistant", "content": []}}},
    {"type": "content-start", "index": 0, "delta": TEXT_BLOCK},
    {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hello."}}}},
    {"type": "content-end", "index": 0},
    {"type": "message-end", "id": "m-1", "delta": {"finish_reason": "COMPLETE", "usage": UNITS}},
]
V2_REPLY = {
    "id": "m-1",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "Hello."}]},
    "finish_reason": "COMPLETE",
    "usage": UNITS,
}
V1_END = {"text": "Hello.", "generation_id": "g-1", "finish_reason": "COMPLETE", "meta": UNITS}


def cohere(name: str, dialect: str, target: str, body: Any, **reply: Any) -> Exchange:
    return Exchange(f"cohere {name}", dialect, COHERE, target, dump(body), headers=BEARER, **reply)


def llama(text: str, **extra: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    stamp = "2026-01-01T00:00:00.000000Z"
    return {"model": "llama3.2", "created_at": stamp, "message": message, "done": False, **extra}


DONE: dict[str, Any] = {"done": True, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 2}
ASK_LLAMA = {"model": "llama3.2", "messages": [{"role": "user", "content": "Say hello."}]}


def ollama(name: str, body: Any, **reply: Any) -> Exchange:
    reply.setdefault("headers", JSON)
    return Exchange(f"ollama {name}", "ollama.chat", OLLAMA, "/api/chat", dump(body), scheme="http", **reply)


OLLAMA_JSON = ollama("chat json", {**ASK_LLAMA, "stream": False}, reply=dump(llama("Hello.", **DONE)))
OLLAMA_STREAM = ollama(
    "chat stream, asked for by saying nothing",
    ASK_LLAMA,
    events=ndjson(llama("Hel"), llama("lo."), llama("", **DONE)),
    reply_type="application/x-ndjson",
)

ALL: tuple[Exchange, ...] = (
    cohere("v2 chat json", "cohere.v2.chat", "/v2/chat", ASK_V2, reply=dump(V2_REPLY)),
    cohere(
        "v2 chat stream",
        "cohere.v2.chat",
        "/v2/chat",
        {**ASK_V2, "stream": True},
        events=(*named_sse(*((event["type"], event) for event in V2_EVENTS)), b"data: [DONE]\n\n"),
        reply_type="text/event-stream",
        terminal=len(V2_EVENTS),
    ),
    cohere(
        "v1 chat stream",
        "cohere.v1.chat",
        "/v1/chat",
        {**ASK_V1, "stream": True},
        events=ndjson(
            {"is_finished": False, "event_type": "stream-start", "generation_id": "g-1"},
            {"is_finished": False, "event_type": "text-generation", "text": "Hello."},
            {
                "is_finished": True,
                "event_type": "stream-end",
                "response": V1_END,
                "finish_reason": "COMPLETE",
            },
        ),
        reply_type="application/stream+json",
    ),
    cohere(
        "rerank",
        "rerank",
        "/v2/rerank",
        {"model": "rerank-v3.5", "query": "hello", "documents": ["a", "b"]},
        reply=dump({"id": "r-1", "results": [{"index": 1, "relevance_score": 0.5}], "meta": UNITS}),
    ),
    OLLAMA_JSON,
    OLLAMA_STREAM,
)
