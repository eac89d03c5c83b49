"""Cohere: version 2 streams SSE, version 1 NDJSON."""

import re
from typing import Any

from mitmcache.providers import openai
from mitmcache.providers.base import Dialect, Json, Provider, no_error
from mitmcache.providers.openai_media import RERANK, TOKENIZE, TRANSCRIPTIONS
from mitmcache.providers.tools import JsonListener, alike, broken, dicts, dig, having, is_word, post
from mitmcache.reasons import Reason


def finish_fault(reason: Json) -> Reason | None:
    if not isinstance(reason, str):
        return None
    if "TOXIC" in reason:
        return Reason.CONTENT_FILTER
    failed = reason.startswith("ERROR") or reason in ("TIMEOUT", "USER_CANCEL")
    return Reason.ERROR if failed else None


def judge_v2(document: Json) -> Reason | None:
    if fault := no_error(document):
        return fault
    reason = dig(document, "finish_reason")
    if reason is None:
        return Reason.INCOMPLETE
    calls = dicts(dig(document, "message", "tool_calls"))
    spoilt = any(broken(dig(call, "function", "arguments")) for call in calls)
    return finish_fault(reason) or (Reason.TOOL_ARGUMENTS if spoilt else None)


def judge_v1(document: Json) -> Reason | None:
    """Chat has one text, `generate` a list of generations; older replies give no finish reason."""
    if fault := having("text", "generations", "tool_calls")(document):
        return fault
    replies = [document, *dicts(dig(document, "generations"))]
    return next(filter(None, (finish_fault(dig(reply, "finish_reason")) for reply in replies)), None)


def refuse_v1(body: Json) -> Reason | None:
    return Reason.CONVERSATION if dig(body, "conversation_id") is not None else None


class V2Listener(JsonListener):
    def told(self, name: str, document: dict[str, Any]) -> None:
        delta = document.get("delta")
        match document.get("type") or name:
            case "tool-call-start" | "tool-call-delta":
                pieces = dig(delta, "message", "tool_calls", "function", "arguments")
                self.arguments.add(document.get("index"), pieces)
            case "message-end":
                self.blame(Reason.ERROR if dig(delta, "error") else finish_fault(dig(delta, "finish_reason")))
                self.ended = True


class V1Listener(JsonListener):
    def told(self, name: str, document: dict[str, Any]) -> None:
        if document.get("is_finished") is True or is_word(document.get("event_type"), "stream-end"):
            self.blame(finish_fault(document.get("finish_reason")))
            self.ended = True


V2_CHAT = Dialect("cohere.v2.chat", "chat", volatile=("priority",), judge=judge_v2, listen=alike(V2Listener))
V1_CHAT = Dialect(
    "cohere.v1.chat",
    "chat",
    volatile=("priority",),
    refuse=refuse_v1,
    judge=judge_v1,
    listen=alike(V1Listener),
)
EMBED = Dialect("cohere.embed", "embeddings", judge=having("embeddings"))

COHERE = Provider(
    "cohere",
    (re.compile(r"api\.cohere\.(?:com|ai)"),),
    (
        *post(
            ("/v2/chat", V2_CHAT),
            ("/v1/(?:chat|generate)", V1_CHAT),
            ("/v[12]/embed", EMBED),
            ("/v[12]/rerank", RERANK),
            ("/v2/audio/transcriptions", TRANSCRIPTIONS),
            ("/v1/(?:tokenize|detokenize|classify)", TOKENIZE),
        ),
        *openai.operations("/compatibility/v1"),
    ),
)
