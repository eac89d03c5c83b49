"""Events as the pipeline makes them, each of them of one call in a made-up world."""

from typing import Any

from mitmcache.journal.event import Event

USED = b'{"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}'


def event(**changes: Any) -> Event:
    facts: dict[str, Any] = {
        "id": "5f0c0b2e-0000-4000-8000-000000000001",
        "began": 1_000_000.0,
        "duration": 0.5,
        "client": "127.0.0.1",
        "agent": "made/1.0",
        "provider": "openai",
        "host": "api.openai.com",
        "dialect": "openai.chat",
        "operation": "chat",
        "model": "gpt-4o",
        "word": "MISS",
        "reason": "uri-miss",
        "unstored": "",
        "tier": "",
        "key": "0" * 64,
        "nearest": "",
        "differs": (),
        "status": 200,
        "error": "",
        "streamed": False,
        "request_size": 100,
        "response_size": 1000,
        "decided": 0.001,
        "first_byte": 0.4,
        "dialled": True,
    }
    return Event(**{**facts, **changes})
