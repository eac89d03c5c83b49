"""The bytes that are sent: requests of a plain caller and of an agent, and the answers to them."""

import json
import random
from typing import Any

CHAT_HOST = "api.openai.com"
AGENT_HOST = "api.anthropic.com"
ANSWER_BYTES = 1700
AGENT_BYTES = 50_000

_VOCABULARY = (
    "the of and to in a is that for it as was with be by on not he his but at are this have from or had an "
    "they which one you were all her she there would their we him been has when who will no more if out so "
    "cache proxy token stream model answer request header bytes disk memory key record upstream client"
)


def prose(size: int, seed: int = 1) -> str:
    """Words without order, the same for a seed: as compressible as text is, about."""
    chosen = random.Random(seed).choices(_VOCABULARY.split(), k=size // 3)
    return " ".join(chosen)[:size]


def _padded(document: dict[str, Any], holder: dict[str, Any], field: str, size: int) -> bytes:
    """The document as JSON of exactly `size` bytes; the field's text makes up what is missing."""
    holder[field] = ""
    holder[field] = prose(size - len(json.dumps(document)))
    return json.dumps(document).encode()


def chat_answer() -> bytes:
    message: dict[str, Any] = {"role": "assistant"}
    document = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1760000000,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 300, "total_tokens": 309},
    }
    return _padded(document, message, "content", ANSWER_BYTES)


def agent_answer() -> bytes:
    block: dict[str, Any] = {"type": "text"}
    document = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [block],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 12000, "output_tokens": 300},
    }
    return _padded(document, block, "text", ANSWER_BYTES)


def chat_request(number: int, *, stream: bool = False) -> bytes:
    """Each number is another question. `bench <number>.` is what the upstream knows a stream by."""
    question = f"bench {number}. {prose(300)}"
    document: dict[str, Any] = {
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": question},
        ],
    }
    if stream:
        document["stream"] = True
    return _request(CHAT_HOST, "/v1/chat/completions", json.dumps(document).encode())


def agent_request() -> bytes:
    """The make-up of a coding agent's request: long instructions, two dozen tools, a short history."""
    tools = [_tool(number) for number in range(24)]
    history = [
        {"role": role, "content": [{"type": "text", "text": prose(400, seed)}]}
        for seed, role in enumerate(("user", "assistant", "user", "assistant", "user"))
    ]
    instructions: dict[str, Any] = {"type": "text", "cache_control": {"type": "ephemeral"}}
    document = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 32000,
        "metadata": {"user_id": "user_1"},
        "system": [instructions],
        "tools": tools,
        "messages": history,
    }
    body = _padded(document, instructions, "text", AGENT_BYTES)
    return _request(AGENT_HOST, "/v1/messages?beta=true", body)


def _tool(number: int) -> dict[str, Any]:
    fields = {
        name: {"type": "string", "description": prose(80, number + place)}
        for place, name in enumerate(("path", "pattern", "mode", "limit"))
    }
    schema = {"type": "object", "properties": fields, "required": ["path"], "additionalProperties": False}
    return {"name": f"tool_{number}", "description": prose(500, number), "input_schema": schema}


def _request(host: str, target: str, body: bytes) -> bytes:
    head = (
        f"POST {target} HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\n"
        "accept-encoding: identity\r\nuser-agent: bench\r\ncontent-type: application/json\r\n"
        "authorization: Bearer bench\r\nanthropic-version: 2023-06-01\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def event(number: int) -> bytes:
    """One event of a chat stream, about 220 bytes."""
    choices = [{"index": 0, "delta": {"content": f" {prose(40, number)}"}, "finish_reason": None}]
    return _event({**_CHUNK, "choices": choices})


_CHUNK = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1760000000,
    "model": "gpt-4o-mini",
}


def _event(document: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


LAST_EVENTS = (
    _event({**_CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
    b"data: [DONE]\n\n",
)
