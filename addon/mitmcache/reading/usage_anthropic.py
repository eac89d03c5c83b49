"""The usage of Anthropic's Messages and of Bedrock's operations, which count the cache beside the input."""

from typing import Any

from mitmcache.exchange import Headers, Usage, header
from mitmcache.providers.base import Json
from mitmcache.providers.tools import dicts, dig, is_word
from mitmcache.reading.counts import at, first, number_in, together
from mitmcache.reading.usage_openai import openai


def messages_usage(document: Json) -> dict[str, Any] | None:
    """The usage object of a reply, or of an event that has one: message_start, message_delta."""
    for holder in (document, dig(document, "message")):
        if isinstance(raw := dig(holder, "usage"), dict):
            return raw
    return None


def messages(raw: dict[str, Any]) -> Usage:
    raw = _with_compactions(raw)
    read, written = at(raw, "cache_read_input_tokens"), at(raw, "cache_creation_input_tokens")
    fresh = at(raw, "input_tokens")
    return Usage(
        input_tokens=None if fresh is None else together(fresh, read, written),
        output_tokens=at(raw, "output_tokens"),
        cache_read_input_tokens=read,
        cache_creation_input_tokens=written,
        cache_creation_1h_input_tokens=at(raw, "cache_creation", "ephemeral_1h_input_tokens"),
        reasoning_output_tokens=at(raw, "output_tokens_details", "thinking_tokens"),
        web_searches=at(raw, "server_tool_use", "web_search_requests"),
    )


_COUNTED = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def _with_compactions(raw: dict[str, Any]) -> dict[str, Any]:
    """The server may sum up a long conversation before it answers. That is billed like the answer, but told
    among the `iterations` alone, and a stream begins with its numbers. Iterations of other models are left
    out, as they are from the whole: their prices are others."""
    rounds = dicts(raw.get("iterations"))
    if not any(is_word(each.get("type"), "compaction") for each in rounds):
        return raw
    own = [each for each in rounds if is_word(each.get("type"), "message", "compaction")]
    told = {name: together(*(at(each, name) for each in own)) for name in _COUNTED}
    hour = together(*(at(each, "cache_creation", "ephemeral_1h_input_tokens") for each in own))
    return {**raw, **told, "cache_creation": {"ephemeral_1h_input_tokens": hour}}


def converse_usage(document: Json) -> dict[str, Any] | None:
    """Nova's own events have it in `metadata`."""
    for holder in (document, dig(document, "metadata")):
        raw = dig(holder, "usage")
        if isinstance(raw, dict) and "inputTokens" in raw:
            return raw
    return None


def converse(raw: dict[str, Any]) -> Usage:
    read = first(at(raw, "cacheReadInputTokens"), at(raw, "cacheReadInputTokenCount"))
    written = first(at(raw, "cacheWriteInputTokens"), at(raw, "cacheWriteInputTokenCount"))
    fresh = at(raw, "inputTokens")
    hour = [each for each in dicts(raw.get("cacheDetails")) if is_word(each.get("ttl"), "1h")]
    return Usage(
        input_tokens=None if fresh is None else together(fresh, read, written),
        output_tokens=at(raw, "outputTokens"),
        cache_read_input_tokens=read,
        cache_creation_input_tokens=written,
        cache_creation_1h_input_tokens=together(*(at(each, "inputTokens") for each in hour)),
        total_tokens=at(raw, "totalTokens"),
    )


def told_by_bedrock(documents: list[Json], headers: Headers) -> dict[str, Any]:
    """What Bedrock itself counts of an invoked model, in Anthropic's words: {} where it is silent.

    It stands in headers beside a reply, and in the last event of a stream.
    """
    metrics = [dig(document, "amazon-bedrock-invocationMetrics") for document in documents]
    raw = next((each for each in reversed(metrics) if isinstance(each, dict)), {})
    told = {name: at(raw, theirs) for name, (theirs, _) in _BEDROCK.items()}
    for name, (_, theirs) in _BEDROCK.items():
        if told[name] is None:
            told[name] = number_in(header(headers, f"x-amzn-bedrock-{theirs}-token-count"))
    return {name: value for name, value in told.items() if value is not None}


_BEDROCK = {
    "input_tokens": ("inputTokenCount", "input"),
    "output_tokens": ("outputTokenCount", "output"),
    "cache_read_input_tokens": ("cacheReadInputTokenCount", "cache-read-input"),
    "cache_creation_input_tokens": ("cacheWriteInputTokenCount", "cache-write-input"),
}


def invoked(document: Json) -> Usage | None:
    """A body of the model's own: the protocols that are known, then Titan's and Llama's few fields."""
    if raw := converse_usage(document):
        return converse(raw)
    if isinstance(dig(document, "choices"), list):
        return openai(document)
    results = dicts(dig(document, "results"))
    taken = first(at(document, "inputTextTokenCount"), at(document, "prompt_token_count"))
    given = first(
        at(document, "generation_token_count"),
        at(document, "totalOutputTextTokenCount"),
        together(*(at(result, "tokenCount") for result in results)),
    )
    return None if taken is None and given is None else Usage(input_tokens=taken, output_tokens=given)
