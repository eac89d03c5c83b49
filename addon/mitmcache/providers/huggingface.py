"""Hugging Face: tasks of the inference API and of endpoints, beside the OpenAI-like router."""

import re
from typing import Any

from mitmcache.providers import openai
from mitmcache.providers.base import Dialect, Json, Provider
from mitmcache.providers.openai_chat import CHAT
from mitmcache.providers.tools import ANYWHERE, JsonListener, alike, dig, model_in, post
from mitmcache.reasons import Reason


def refuse(body: Json) -> Reason | None:
    return Reason.USE_CACHE if dig(body, "options", "use_cache") is False else None


class TaskListener(JsonListener):
    def told(self, name: str, document: dict[str, Any]) -> None:
        last = document.get("generated_text") is not None or document.get("details") is not None
        self.ended = self.ended or last


TASK = Dialect(
    "hf.task",
    "inference_task",
    volatile=("options.wait_for_model", "options.use_cache"),
    model=model_in(r"/(?:models|pipeline/[^/]+)/(.+?)(?:/pipeline/.*)?$"),
    refuse=refuse,
    listen=alike(TaskListener),
    opaque=True,
)

HUGGINGFACE = Provider(
    "huggingface",
    (
        re.compile(r"(?:router|api-inference)\.huggingface\.co"),
        re.compile(r"(?:[a-z0-9-]+\.)+endpoints\.huggingface\.cloud"),
    ),
    (
        # the router passes on to others' servers, each with a path of its own before the usual one
        *openai.operations(ANYWHERE + "/(?:v1|openai)"),
        *post(
            (ANYWHERE + "/chat/completions", CHAT),
            ("(?:/hf-inference)?/(?:models|pipeline)/.+", TASK),
            ("/", TASK),
        ),
    ),
    done_optional=True,
    key_headers=("x-use-cache",),
)
