"""Bedrock: Converse and InvokeModel, and their binary event streams."""

import base64
import struct
import zlib
from typing import Any

from exchanges.base import JSON, Exchange, dump

HOST = "bedrock-runtime.us-east-1.amazonaws.com"
MODEL = "anthropic.claude-3-haiku-20240307-v1%3A0"
BEARER = (*JSON, ("authorization", "Bearer bedrock-test-key-one"))
STREAM = "application/vnd.amazon.eventstream"
COUNTS = (("x-amzn-bedrock-input-token-count", "9"), ("x-amzn-bedrock-output-token-count", "3"))


def frame(name: str, payload: bytes, *, kind: str = "event") -> bytes:
    """One message of AWS's event stream encoding with its two checksums.

    `kind` is the `:message-type`; `name` becomes the `:event-type` or the `:exception-type`.
    """
    texts = {
        f":{kind}-type": name,
        ":content-type": "application/json",
        ":message-type": kind,
    }
    headers = b"".join(
        struct.pack("!B", len(key)) + key.encode() + b"\x07" + struct.pack("!H", len(text)) + text.encode()
        for key, text in texts.items()
    )
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    start = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return start + struct.pack("!I", zlib.crc32(start))


def frames(*events: tuple[str, dict[str, Any]]) -> tuple[bytes, ...]:
    return tuple(frame(name, dump(document)) for name, document in events)


def chunk(document: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "chunk", {"bytes": base64.b64encode(dump(document)).decode(), "p": "abcdef"}


ASK = dump({"messages": [{"role": "user", "content": [{"text": "Say hello."}]}]})
CLAUDE = dump(
    {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "Say hello."}],
    }
)
USAGE = {"inputTokens": 9, "outputTokens": 3, "totalTokens": 12}
METRICS = {"inputTokenCount": 9, "outputTokenCount": 3, "invocationLatency": 300, "firstByteLatency": 100}
CONVERSED = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello."}]}},
    "stopReason": "end_turn",
    "usage": USAGE,
    "metrics": {"latencyMs": 300},
}
MESSAGE = {
    "id": "msg_bdrk_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-3-haiku-20240307",
    "content": [{"type": "text", "text": "Hello."}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 9, "output_tokens": 3},
}


def bedrock(name: str, dialect: str, operation: str, body: bytes, **reply: Any) -> Exchange:
    return Exchange(
        f"bedrock {name}", dialect, HOST, f"/model/{MODEL}/{operation}", body, headers=BEARER, **reply
    )


CONVERSE = bedrock("converse json", "bedrock.converse", "converse", ASK, reply=dump(CONVERSED))
CONVERSE_STREAM = bedrock(
    "converse stream",
    "bedrock.converse",
    "converse-stream",
    ASK,
    events=frames(
        ("messageStart", {"role": "assistant", "p": "abc"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hello."}, "p": "abcdefgh"}),
        ("contentBlockStop", {"contentBlockIndex": 0, "p": "ab"}),
        ("messageStop", {"stopReason": "end_turn", "p": "abcd"}),
        ("metadata", {"usage": USAGE, "metrics": {"latencyMs": 300}, "p": "a"}),
    ),
    reply_type=STREAM,
)

ALL: tuple[Exchange, ...] = (
    CONVERSE,
    CONVERSE_STREAM,
    bedrock("invoke json", "bedrock.invoke", "invoke", CLAUDE, reply=dump(MESSAGE), reply_headers=COUNTS),
    bedrock(
        "invoke stream",
        "bedrock.invoke",
        "invoke-with-response-stream",
        CLAUDE,
        events=frames(
            chunk({"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}}),
            chunk({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            chunk(
                {
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"type": "text_delta", "text": "Hello."},
                }
            ),
            chunk({"type": "content_block_stop", "index": 0}),
            chunk(
                {
                    "type": "message_delta",
                    "delta": {"stop_reason": "end_turn"},
                    "usage": {"output_tokens": 3},
                }
            ),
            chunk({"type": "message_stop", "amazon-bedrock-invocationMetrics": METRICS}),
        ),
        reply_type=STREAM,
        reply_headers=(("x-amzn-bedrock-content-type", "application/json"),),
    ),
)
