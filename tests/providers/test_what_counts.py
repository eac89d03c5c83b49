"""What each dialect leaves out of the key and puts into it. A change here changes keys: on purpose, then."""

import pytest

from mitmcache.providers.base import Dialect
from mitmcache.providers.catalogue import PROVIDERS

DIALECTS = {dialect.name: dialect for provider in PROVIDERS for _, _, dialect in provider.operations}
CLIENT = """
    user metadata safety_identifier prompt_cache_key prompt_cache_retention prompt_cache_options
    stream_options.include_obfuscation
"""
MARKS = """
    cache_control system[].cache_control tools[].cache_control messages[].content[].cache_control
    messages[].content[].source.content[].cache_control messages[].content[].content[].cache_control
    messages[].content[].content[].content[].cache_control
    messages[].content[].content[].source.content[].cache_control
    messages[].content[].content.content.cache_control
    messages[].content[].content.content.source.content[].cache_control
    messages[].content[].content.tool_references[].cache_control
"""
VOLATILE = {
    "anthropic.complete": "metadata",
    "anthropic.count_tokens": MARKS,
    "anthropic.messages": MARKS + "metadata diagnostics billing_policy workspace_id user_profile_id",
    "bedrock.converse": "requestMetadata",
    "bedrock.count_tokens": "",
    "bedrock.invoke": MARKS,
    "cohere.embed": "",
    "cohere.v1.chat": "priority",
    "cohere.v2.chat": "priority",
    "gemini.code_assist": "user_prompt_id request.session_id request.labels",
    "gemini.count_tokens": "",
    "gemini.embed": "",
    "gemini.generate": "labels",
    "gemini.interactions": "",
    "gemini.predict": "",
    "hf.task": "options.wait_for_model options.use_cache",
    "llamacpp.completion": "id_slot cache_prompt",
    "mistral.fim": CLIENT + "store",
    "ocr": "id",
    "ollama.chat": "keep_alive",
    "ollama.embed": "keep_alive",
    "openai.audio.speech": "",
    "openai.audio.transcriptions": "",
    "openai.chat": CLIENT + "store",
    "openai.completions": "user",
    "openai.decisions": "safety_identifier prompt_cache_key prompt_cache_options",
    "openai.embeddings": "user",
    "openai.images": "user safety_identifier",
    "openai.moderations": "",
    "openai.responses": CLIENT + "client_metadata",
    "openai.responses.input_tokens": "",
    "rerank": "",
    "tokenize": "",
}
OPERATIONS = {
    "chat": """
        anthropic.messages bedrock.converse cohere.v1.chat cohere.v2.chat ollama.chat openai.chat
        openai.responses
    """,
    "text_completion": "anthropic.complete llamacpp.completion mistral.fim openai.completions",
    "generate_content": "gemini.code_assist gemini.generate gemini.interactions",
    "embeddings": "cohere.embed gemini.embed ollama.embed openai.embeddings",
    "count_tokens": """
        anthropic.count_tokens bedrock.count_tokens gemini.count_tokens openai.responses.input_tokens
    """,
    "invoke_model": "bedrock.invoke",
    "predict": "gemini.predict",
    "inference_task": "hf.task",
    "ocr": "ocr",
    "speech": "openai.audio.speech",
    "transcription": "openai.audio.transcriptions",
    "decision": "openai.decisions",
    "image_generation": "openai.images",
    "moderation": "openai.moderations",
    "rerank": "rerank",
    "tokenize": "tokenize",
}


def test_every_dialect_is_named_here() -> None:
    assert set(DIALECTS) == set(VOLATILE)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_these_fields_do_not_count(dialect: Dialect) -> None:
    assert set(dialect.volatile) == set(VOLATILE[dialect.name].split())


@pytest.mark.parametrize(("operation", "names"), OPERATIONS.items(), ids=OPERATIONS)
def test_these_do_one_kind_of_work(operation: str, names: str) -> None:
    assert {name for name, dialect in DIALECTS.items() if dialect.operation == operation} == set(
        names.split()
    )


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_these_headers_and_queries_count(dialect: Dialect) -> None:
    family = dialect.name.partition(".")[0]
    betas = ("anthropic-beta", "x-anthropic-beta")
    headers: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    match family:
        case "anthropic":
            headers, query = ("anthropic-version", *betas), ("beta",)
        case "bedrock":
            headers = ("x-amzn-bedrock-*",)
        case "gemini" if dialect.name != "gemini.code_assist":
            query = ("$xgafv", "trace")
    if dialect.name == "bedrock.invoke":
        headers = ("accept", *headers)
    if dialect.name == "gemini.interactions":
        headers = ("api-revision",)
    if dialect.name in ("openai.chat", "openai.completions", "openai.responses", "mistral.fim"):
        headers = (*betas, "groq-model-version")
    assert dialect.key_headers == headers
    assert dialect.set_headers == (betas if set(betas) <= set(headers) else ())
    assert dialect.volatile_query == query


def test_these_headers_count_at_all_of_a_providers_operations() -> None:
    openai = ("openai-beta", "openai-organization", "openai-project")
    assert {provider.name: provider.key_headers for provider in PROVIDERS if provider.key_headers} == {
        "openai": openai,
        "chatgpt": openai,
        "azure.ai.openai": (
            *(*openai, "extra-parameters", "azureml-model-deployment"),
            "x-ms-oai-image-generation-deployment",
        ),
        "gcp.gemini": ("x-goog-user-project",),
        "gcp.vertex_ai": ("x-goog-user-project",),
        "gemini_code_assist": ("x-goog-user-project",),
        "huggingface": ("x-use-cache",),
    }
