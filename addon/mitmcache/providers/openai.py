"""The OpenAI protocol under one path prefix, and OpenAI and Azure themselves."""

import re

from mitmcache.providers import anthropic
from mitmcache.providers.base import Provider
from mitmcache.providers.openai_chat import CHAT, COMPLETIONS
from mitmcache.providers.openai_media import (
    DECISIONS,
    EMBEDDINGS,
    IMAGES,
    MODERATIONS,
    OCR,
    RERANK,
    SPEECH,
    TRANSCRIPTIONS,
)
from mitmcache.providers.openai_responses import INPUT_TOKENS, RESPONSES
from mitmcache.providers.tools import ANYWHERE, Operations, post

KEY_HEADERS = ("openai-beta", "openai-organization", "openai-project")


def operations(prefix: str) -> Operations:
    """What an OpenAI-like server may be asked below this path; `prefix` is a pattern."""
    return post(
        (prefix + "(?:/extensions)?/chat/completions", CHAT),
        (prefix + "(?:/engines/[^/]+)?/completions", COMPLETIONS),
        (prefix + "/responses", RESPONSES),
        (prefix + "/responses/input_tokens", INPUT_TOKENS),
        (prefix + "(?:/engines/[^/]+)?/embeddings", EMBEDDINGS),
        (prefix + "/moderations", MODERATIONS),
        (prefix + "/decisions", DECISIONS),
        (prefix + "/images/(?:generations|edits|variations)", IMAGES),
        (prefix + "/audio/speech", SPEECH),
        (prefix + "/audio/(?:transcriptions|translations)", TRANSCRIPTIONS),
        (prefix + "/rerank", RERANK),
    )


OPENAI = Provider(
    "openai",
    (re.compile(r"(?:(?:us|eu|ae|au|in|jp|mtls)\.)?api\.openai\.com"),),
    operations("/v1"),
    key_headers=KEY_HEADERS,
)

CHATGPT = Provider(
    "chatgpt",
    (re.compile(r"chatgpt\.com"),),
    post(("/backend-api/codex/responses", RESPONSES)),
    key_headers=KEY_HEADERS,
)

_NAME = "(?:[a-z0-9_-]+[.])+"
AZURE = Provider(
    "azure.ai.openai",
    tuple(
        re.compile(_NAME + domain)
        for domain in (
            r"openai\.azure\.(?:com|us|cn)",
            r"cognitiveservices\.azure\.(?:com|us)",
            r"services\.ai\.azure\.com",
            r"models\.ai\.azure\.com",
            r"inference\.ml\.azure\.com",
            r"azure-api\.net",
        )
    ),
    (
        # Foundry projects and API Management put paths of their own before /openai
        *operations(ANYWHERE + "/openai(?:/v1|/deployments/[^/]+)?"),
        *post(("(?:/v1|/models)?/chat/completions", CHAT), ("/models/(?:images/)?embeddings", EMBEDDINGS)),
        *anthropic.operations("/anthropic/v1"),
        *post(
            ("/v1/embeddings", EMBEDDINGS),
            ("/providers/mistral/azure/ocr", OCR),
            ("(?:/providers/cohere)?/v[12]/rerank", RERANK),
        ),
    ),
    key_headers=(
        *KEY_HEADERS,
        *("extra-parameters", "azureml-model-deployment", "x-ms-oai-image-generation-deployment"),
    ),
)
