"""Ollama's own protocol: NDJSON, and a stream unless the caller says no."""

from typing import Any

from mitmcache.providers.base import Dialect, Json, no_error
from mitmcache.providers.tools import JsonListener, alike, dig, having
from mitmcache.reasons import Reason


def refuse(body: Json) -> Reason | None:
    """Without a prompt the call only loads or unloads the model; `context` is the server's own state."""
    if dig(body, "context"):
        return Reason.CONTEXT
    asked = any(dig(body, name) for name in ("messages", "prompt"))
    return None if asked else Reason.MODEL_LOAD


def judge(document: Json) -> Reason | None:
    return no_error(document) or (None if dig(document, "done") is True else Reason.INCOMPLETE)


def streams(path: str, body: Json) -> bool:
    return dig(body, "stream") is not False


class ChatListener(JsonListener):
    def told(self, name: str, document: dict[str, Any]) -> None:
        self.ended = self.ended or document.get("done") is True


CHAT = Dialect(
    "ollama.chat",
    "chat",
    volatile=("keep_alive",),
    streams=streams,
    refuse=refuse,
    judge=judge,
    listen=alike(ChatListener),
)
EMBED = Dialect(
    "ollama.embed",
    "embeddings",
    volatile=("keep_alive",),
    judge=having("embeddings", "embedding"),
)
