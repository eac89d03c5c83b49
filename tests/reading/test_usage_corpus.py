"""For every recorded reply our numbers are the recorded ones, which a plain deep search finds."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from corpus import corpus_dir
from mitmcache.reading.usage import UNBILLED, usage
from reading.recorded import Recorded, recorded

pytestmark = pytest.mark.skipif(corpus_dir() is None, reason="no corpus")

type Sums = dict[str, tuple[str, ...]]
"""Field -> the recorded names whose numbers add up to it."""

OPENAI: Sums = {
    "input_tokens": ("prompt_tokens", "input_tokens"),
    "output_tokens": ("completion_tokens", "output_tokens"),
    "total_tokens": ("total_tokens",),
    "reasoning_output_tokens": (
        "completion_tokens_details.reasoning_tokens",
        "output_tokens_details.reasoning_tokens",
    ),
    "audio_output_tokens": ("completion_tokens_details.audio_tokens",),
    "audio_input_tokens": ("prompt_tokens_details.audio_tokens", "input_token_details.audio_tokens"),
    "audio_seconds": ("prompt_audio_seconds", "seconds"),
}
ANTHROPIC: Sums = {
    "input_tokens": ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
    "output_tokens": ("output_tokens",),
    "cache_read_input_tokens": ("cache_read_input_tokens",),
    "cache_creation_input_tokens": ("cache_creation_input_tokens",),
    "cache_creation_1h_input_tokens": ("cache_creation.ephemeral_1h_input_tokens",),
    "reasoning_output_tokens": ("output_tokens_details.thinking_tokens",),
    "total_tokens": (),
}
CONVERSE: Sums = {
    "input_tokens": ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"),
    "output_tokens": ("outputTokens",),
    "cache_read_input_tokens": ("cacheReadInputTokens",),
    "cache_creation_input_tokens": ("cacheWriteInputTokens",),
    "total_tokens": ("totalTokens",),
}
METRICS: Sums = {
    "input_tokens": ("inputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount"),
    "output_tokens": ("outputTokenCount",),
}
IN_HEADERS: Sums = {
    "input_tokens": (
        "x-amzn-bedrock-input-token-count",
        "x-amzn-bedrock-cache-read-input-token-count",
        "x-amzn-bedrock-cache-write-input-token-count",
    ),
    "output_tokens": ("x-amzn-bedrock-output-token-count",),
}
GEMINI: Sums = {
    "input_tokens": ("promptTokenCount", "toolUsePromptTokenCount"),
    "output_tokens": ("candidatesTokenCount", "thoughtsTokenCount"),
    "cache_read_input_tokens": ("cachedContentTokenCount",),
    "reasoning_output_tokens": ("thoughtsTokenCount",),
    "total_tokens": ("totalTokenCount",),
}
INTERACTION: Sums = {
    "input_tokens": ("total_input_tokens", "total_tool_use_tokens"),
    "output_tokens": ("total_output_tokens", "total_thought_tokens"),
    "cache_read_input_tokens": ("total_cached_tokens",),
    "total_tokens": ("total_tokens",),
}
COHERE: Sums = {
    "input_tokens": ("billed_units.input_tokens", "billed_units.image_tokens"),
    "output_tokens": ("billed_units.output_tokens",),
    "search_units": ("billed_units.search_units",),
    "cache_read_input_tokens": ("cached_tokens",),
    "reasoning_output_tokens": ("tokens.reasoning_tokens",),
}
TOTAL_ONLY: Sums = {"input_tokens": ("total_tokens",), "total_tokens": ("total_tokens",)}

OBJECTS: dict[str, tuple[str, Sums]] = {
    "anthropic": ("usage", ANTHROPIC),
    "bedrock.converse": ("usage", CONVERSE),
    "cohere.v2": ("usage", COHERE),
    "cohere": ("meta", COHERE),
    "gemini.generate": ("usageMetadata", GEMINI),
    "gemini.embed": ("usageMetadata", GEMINI),
    "gemini.interactions": ("usage", INTERACTION),
    "gemini.predict": ("statistics", {"input_tokens": ("token_count",)}),
    "ocr": ("usage_info", {"pages": ("pages_processed",)}),
    "openai": ("usage", OPENAI),
    "mistral": ("usage", OPENAI),
}


def found(document: Any, name: str) -> Iterator[dict[str, Any]]:
    """Every object of this name that is nobody's text, however deep."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key == name and isinstance(value, dict):
                yield value
            elif key not in ("guardrail", "trace", "amazon-bedrock-trace", "content", "arguments"):
                yield from found(value, name)
    elif isinstance(document, list):
        for each in document:
            yield from found(each, name)


def flat(raw: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in raw.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield prefix + key, value


def added(numbers: dict[str, Any], sums: Sums) -> dict[str, float | None]:
    said = {field: [numbers[name] for name in names if name in numbers] for field, names in sums.items()}
    return {field: sum(values) if values else None for field, values in said.items()}


def expected(reply: Recorded) -> dict[str, float | None]:
    """{} where the recording tells nothing."""
    if reply.dialect == "bedrock.invoke":
        return invoked(reply)
    if reply.dialect in ("ollama.chat", "hf.task"):
        return local(reply)
    if reply.dialect == "rerank":
        billed = [raw for document in reply.documents for raw in found(document, "meta")]
        name, sums = ("meta", COHERE) if billed else ("usage", TOTAL_ONLY)
    else:
        name, sums = next(known for start, known in OBJECTS.items() if reply.dialect.startswith(start))
    numbers: dict[str, Any] = {}
    for document in reply.documents:
        for raw in found(document, name):
            numbers |= dict(flat(raw))
    if reply.dialect == "openai.embeddings" and "prompt_tokens" not in numbers:
        sums = TOTAL_ONLY
    numbers = beside(numbers) if sums is OPENAI else numbers
    return added(numbers, sums) if any(value is not None for value in added(numbers, sums).values()) else {}


def beside(numbers: dict[str, Any]) -> dict[str, Any]:
    """The two recorded calls of Mistral's with audio count it in the total alone."""
    whole = ("total_tokens", "prompt_tokens", "completion_tokens")
    if not all(name in numbers for name in whole):
        return numbers
    total, prompt, given = (numbers[name] for name in whole)
    return {**numbers, "prompt_tokens": total - given} if total > prompt + given else numbers


def invoked(reply: Recorded) -> dict[str, float | None]:
    """Bedrock's own count, in headers or in the last event; two recordings have the model's alone."""
    headers = {name: int(value) for name, value in reply.headers if name.endswith("-token-count")}
    if headers:
        return added(headers, IN_HEADERS)
    for document in reply.documents:
        for raw in found(document, "amazon-bedrock-invocationMetrics"):
            return added(raw, METRICS)
    numbers: dict[str, Any] = {}
    for raw in [raw for document in reply.documents for raw in found(document, "usage")]:
        numbers |= dict(flat(raw))
    said = added(numbers, ANTHROPIC)
    return said if said["input_tokens"] is not None else {}


def local(reply: Recorded) -> dict[str, float | None]:
    numbers = {name: int(value) for name, value in reply.headers if name.endswith("-tokens")}
    for document in reply.documents:
        replies = document if isinstance(document, list) else [document]
        numbers |= {name: value for each in replies for name, value in flat(each)}
    sums: Sums = {
        "input_tokens": ("prompt_eval_count",),
        "output_tokens": ("eval_count", "details.generated_tokens"),
    }
    said = added(numbers, sums)
    return said if any(value is not None for value in said.values()) else {}


def test_our_numbers_are_the_recorded_ones() -> None:
    wrong = []
    for reply in recorded():
        if reply.dialect in UNBILLED:
            continue
        said = expected(reply)
        read = usage(reply.dialect, reply.headers, reply.body)
        got = {field: getattr(read, field) for field in said} if read else {}
        if got != said or (read is not None and not said and reply.dialect != "openai.images"):
            wrong.append((reply.id, reply.dialect, said, read))
    assert wrong == []


SILENT = {
    # OpenAI's and others' streams without `include_usage`
    ("openai.chat", True): 21,
    ("openai.completions", True): 7,
    # an error object in a 200; responses and an interaction that were only begun; a refusal
    ("openai.chat", False): 1,
    ("openai.responses", False): 4,
    ("gemini.interactions", False): 1,
    ("gemini.generate", False): 1,
    # where the provider has nothing to say
    ("gemini.embed", False): 4,
    ("hf.task", False): 1,
    ("openai.audio.speech", False): 2,
    ("openai.audio.transcriptions", False): 1,
}


def test_these_replies_tell_nothing_and_all_others_do() -> None:
    silent = Counter(
        (reply.dialect, reply.streamed)
        for reply in recorded()
        if reply.dialect not in UNBILLED and usage(reply.dialect, reply.headers, reply.body) is None
    )
    assert dict(silent) == SILENT
