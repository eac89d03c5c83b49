"""api.anthropic.com: Messages in both forms, and its token counter."""

from typing import Any

from exchanges.base import JSON, Exchange, dump, typed_sse

HOST = "api.anthropic.com"
MODEL = "claude-sonnet-4-5"
HEADERS = (*JSON, ("x-api-key", "test-key-one"), ("anthropic-version", "2023-06-01"))
ACCOUNT = (("request-id", "req_1"), ("anthropic-organization-id", "org-1"))
TOOLS = [{"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]


def ask(**extra: Any) -> bytes:
    content = [{"type": "text", "text": "Say hello."}]
    messages = [{"role": "user", "content": content}]
    return dump({"model": MODEL, "max_tokens": 64, "messages": messages, **extra})


def message(reason: str | None, *content: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": list(content),
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 3 if reason else 1},
    }


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    body = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    opening = {"type": "content_block_start", "index": index, "content_block": start}
    return [opening, *body, {"type": "content_block_stop", "index": index}]


def end(reason: str) -> list[dict[str, Any]]:
    delta = {"stop_reason": reason, "stop_sequence": None}
    usage = {"output_tokens": 3}
    return [{"type": "message_delta", "delta": delta, "usage": usage}, {"type": "message_stop"}]


def text(value: str) -> dict[str, Any]:
    return {"type": "text_delta", "text": value}


def arguments(value: str) -> dict[str, Any]:
    return {"type": "input_json_delta", "partial_json": value}


START: dict[str, Any] = {"type": "message_start", "message": message(None)}
TEXT: list[dict[str, Any]] = [
    START,
    *block(0, {"type": "text", "text": ""}, text("Hello "), text("thëre.")),
    *end("end_turn"),
]
TOOL_USE: list[dict[str, Any]] = [
    START,
    {"type": "ping"},
    *block(0, {"type": "text", "text": ""}, text("Looking.")),
    *block(
        1,
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}},
        arguments(""),
        arguments('{"city": '),
        arguments('"Oslo"}'),
    ),
    *end("tool_use"),
]


def messages(name: str, body: bytes, target: str = "/v1/messages", **reply: Any) -> Exchange:
    reply.setdefault("headers", HEADERS)
    reply.setdefault("reply_headers", ACCOUNT)
    return Exchange(f"anthropic {name}", "anthropic.messages", HOST, target, body, **reply)


JSON_ANSWER = dump(message("end_turn", {"type": "text", "text": "Hello thëre."}))
MESSAGES = messages("messages json", ask(), reply=JSON_ANSWER)
MESSAGES_STREAM = messages(
    "messages stream",
    ask(stream=True),
    events=typed_sse(*TEXT),
    reply_type="text/event-stream; charset=utf-8",
)

ALL: tuple[Exchange, ...] = (
    MESSAGES,
    MESSAGES_STREAM,
    messages(
        "messages stream with ping and tool use",
        ask(stream=True, tools=TOOLS),
        target="/v1/messages?beta=true",
        events=typed_sse(*TOOL_USE),
        reply_type="text/event-stream; charset=utf-8",
    ),
    Exchange(
        "anthropic count tokens",
        "anthropic.count_tokens",
        HOST,
        "/v1/messages/count_tokens",
        ask(),
        headers=HEADERS,
        reply=dump({"input_tokens": 14}),
    ),
)
