"""Gemini and Vertex: JSON, SSE with CRLF, and the stream that is one JSON array."""

from typing import Any

from exchanges.anthropic import JSON_ANSWER
from exchanges.base import JSON, Exchange, dump, sse

GEMINI = "generativelanguage.googleapis.com"
VERTEX = "us-central1-aiplatform.googleapis.com"
MODEL = "gemini-2.5-flash"
KEYED = (*JSON, ("x-goog-api-key", "test-key-one"))
TOKEN = (*JSON, ("authorization", "Bearer ya29.test-token-one"))
PUBLISHER = f"/v1/projects/p/locations/us-central1/publishers/google/models/{MODEL}"
CLAUDE = "/v1/projects/p/locations/us-central1/publishers/anthropic/models/claude-sonnet-4-5"
ASK = dump({"contents": [{"role": "user", "parts": [{"text": "Say hello."}]}]})


def content(text: str, reason: str | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if reason:
        candidate["finishReason"] = reason
    usage = {"promptTokenCount": 4, "candidatesTokenCount": 2, "totalTokenCount": 6}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL, "responseId": "r-1"}


PIECES = (content("Hello "), content("thëre"), content(".", "STOP"))
ARRAY = (b"[" + dump(PIECES[0]), b"\r\n,\r\n" + dump(PIECES[1]), b",\r\n" + dump(PIECES[2]), b"\r\n]\r\n")
WHOLE = dump(content("Hello thëre.", "STOP"))


def gemini(name: str, dialect: str, target: str, body: bytes = ASK, **reply: Any) -> Exchange:
    reply.setdefault("headers", KEYED)
    reply.setdefault("reply_type", "application/json; charset=UTF-8")
    path = f"/v1beta/models/{MODEL}:{target}"
    return Exchange(f"gemini {name}", dialect, GEMINI, path, body, **reply)


GENERATE = gemini("generate json", "gemini.generate", "generateContent", reply=WHOLE)
STREAM = gemini(
    "stream sse",
    "gemini.generate",
    "streamGenerateContent?alt=sse",
    events=sse(*PIECES, newline="\r\n"),
    reply_type="text/event-stream",
)
ARRAY_STREAM = gemini("stream json array", "gemini.generate", "streamGenerateContent", events=ARRAY)

ALL: tuple[Exchange, ...] = (
    GENERATE,
    STREAM,
    ARRAY_STREAM,
    gemini(
        "embed",
        "gemini.embed",
        "embedContent",
        dump({"content": {"parts": [{"text": "hello"}]}}),
        reply=dump({"embedding": {"values": [0.5, -0.25]}}),
    ),
    gemini("count tokens", "gemini.count_tokens", "countTokens", reply=dump({"totalTokens": 4})),
    Exchange(
        "vertex generate json",
        "gemini.generate",
        VERTEX,
        f"{PUBLISHER}:generateContent",
        ASK,
        headers=TOKEN,
        reply=WHOLE,
    ),
    Exchange(
        "vertex stream sse",
        "gemini.generate",
        VERTEX,
        f"{PUBLISHER}:streamGenerateContent?alt=sse",
        ASK,
        headers=TOKEN,
        events=sse(*PIECES, newline="\r\n"),
        reply_type="text/event-stream",
    ),
    Exchange(
        "vertex claude json",
        "anthropic.messages",
        VERTEX,
        f"{CLAUDE}:rawPredict",
        dump(
            {
                "anthropic_version": "vertex-2023-10-16",
                "max_tokens": 9,
                "messages": [{"role": "user", "content": "hello"}],
            }
        ),
        headers=TOKEN,
        reply=JSON_ANSWER,
    ),
)
