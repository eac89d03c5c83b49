"""The native completions of llama.cpp's server."""

from typing import Any

from mitmcache.providers.base import Dialect, Json, no_error
from mitmcache.providers.tools import JsonListener, alike, dig
from mitmcache.reasons import Reason


def judge(document: Json) -> Reason | None:
    """Several prompts are answered by a list."""
    replies = document if isinstance(document, list) else [document]
    if any(no_error(reply) for reply in replies):
        return Reason.ERROR
    whole = bool(replies) and all(dig(reply, "stop") is True for reply in replies)
    return None if whole else Reason.INCOMPLETE


class CompletionListener(JsonListener):
    def told(self, name: str, document: dict[str, Any]) -> None:
        self.ended = self.ended or document.get("stop") is True


COMPLETION = Dialect(
    "llamacpp.completion",
    "text_completion",
    volatile=("id_slot", "cache_prompt"),
    judge=judge,
    listen=alike(CompletionListener),
)
