"""Gemini Code Assist, which Gemini's CLI asks for whoever signs in with a Google account: Gemini's own
documents, each inside another."""

import re

from mitmcache.providers import google
from mitmcache.providers.base import Dialect, Json, Provider, no_error
from mitmcache.providers.google import GenerateListener
from mitmcache.providers.tools import alike, dig, post
from mitmcache.reasons import Reason


def prune(body: Json) -> None:
    google.prune(dig(body, "request"))


def judge(document: Json) -> Reason | None:
    return no_error(document) or google.judge(dig(document, "response"))


class CodeAssistListener(GenerateListener):
    def take(self, name: str, document: Json) -> None:
        self.blame(no_error(document))
        super().take(name, dig(document, "response"))


GENERATE = Dialect(
    "gemini.code_assist",
    "generate_content",
    volatile=("user_prompt_id", "request.session_id", "request.labels"),
    prune=prune,
    streams=google.streams,
    judge=judge,
    listen=alike(CodeAssistListener),
)

CODE_ASSIST = Provider(
    "gemini_code_assist",
    (re.compile(r"cloudcode-pa\.googleapis\.com"),),
    post((r"/v1internal:(?:g|streamG)enerateContent", GENERATE)),
    key_headers=("x-goog-user-project",),
)
