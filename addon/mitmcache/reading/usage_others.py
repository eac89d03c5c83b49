"""The usage of Gemini, Cohere, Ollama, llama.cpp, Hugging Face and the smaller operations."""

from mitmcache.exchange import Headers, Usage, header
from mitmcache.providers.base import Json
from mitmcache.providers.tools import dicts, dig
from mitmcache.reading.counts import at, count, first, modality, number_in, together
from mitmcache.reading.usage_openai import llamacpp_timings, only_input


def gemini(document: Json) -> Usage | None:
    """Thoughts stand beside the candidates' tokens, a tool's prompt beside the prompt."""
    raw = dig(document, "usageMetadata")
    if not isinstance(raw, dict):
        return None
    thoughts = at(raw, "thoughtsTokenCount")
    asked = raw.get("promptTokensDetails") or raw.get("promptTokenDetails")
    answered = raw.get("candidatesTokensDetails")
    used = Usage(
        input_tokens=together(at(raw, "promptTokenCount"), at(raw, "toolUsePromptTokenCount")),
        output_tokens=together(at(raw, "candidatesTokenCount"), thoughts),
        cache_read_input_tokens=at(raw, "cachedContentTokenCount"),
        reasoning_output_tokens=thoughts,
        total_tokens=at(raw, "totalTokenCount"),
        audio_input_tokens=modality(asked, "AUDIO", 4),
        cache_read_audio_input_tokens=modality(raw.get("cacheTokensDetails"), "AUDIO", 4),
        audio_output_tokens=modality(answered, "AUDIO", 4),
        image_input_tokens=modality(asked, "IMAGE", 2),
        image_output_tokens=modality(answered, "IMAGE", 2),
    )
    # Vertex opens its streams with a `trafficType` alone
    return None if used == Usage() else used


def interaction(document: Json) -> Usage | None:
    """The last event has the whole, earlier ones what was used so far."""
    holders = (document, dig(document, "interaction"), dig(document, "metadata"))
    raw = next((raw for holder in holders if isinstance(raw := dig(holder, "usage"), dict)), None)
    if raw is None:
        return None
    asked, answered = raw.get("input_tokens_by_modality"), raw.get("output_tokens_by_modality")
    thoughts = at(raw, "total_thought_tokens")
    return Usage(
        input_tokens=together(at(raw, "total_input_tokens"), at(raw, "total_tool_use_tokens")),
        output_tokens=together(at(raw, "total_output_tokens"), thoughts),
        cache_read_input_tokens=at(raw, "total_cached_tokens"),
        reasoning_output_tokens=thoughts,
        total_tokens=at(raw, "total_tokens"),
        audio_input_tokens=modality(asked, "AUDIO", 4),
        audio_output_tokens=modality(answered, "AUDIO", 4),
        image_input_tokens=modality(asked, "IMAGE", 2),
        image_output_tokens=modality(answered, "IMAGE", 2),
    )


def predict(document: Json) -> Usage | None:
    """Vertex: an embedding tells its tokens, an image is its own unit."""
    predictions = dicts(dig(document, "predictions"))
    tokens = together(*(count(dig(each, "embeddings", "statistics", "token_count")) for each in predictions))
    images = sum("bytesBase64Encoded" in each for each in predictions)
    return Usage(input_tokens=tokens, images=images or None)


def cohere(document: Json) -> Usage | None:
    """What is billed, which is less than what was read: Cohere's own preamble is free."""
    for holder in (document, dig(document, "delta"), dig(document, "response")):
        for name in ("usage", "meta"):
            if isinstance(raw := dig(holder, name), dict) and raw.keys() & {"billed_units", "tokens"}:
                return _billed(raw)
    return None


def _billed(raw: dict[str, Json]) -> Usage:
    billed = raw.get("billed_units")
    text, image = at(billed, "input_tokens"), at(billed, "image_tokens")
    return Usage(
        input_tokens=first(together(text, image), at(raw, "tokens", "input_tokens")),
        output_tokens=first(at(billed, "output_tokens"), at(raw, "tokens", "output_tokens")),
        cache_read_input_tokens=at(raw, "cached_tokens"),
        reasoning_output_tokens=at(raw, "tokens", "reasoning_tokens"),
        image_input_tokens=first(image, at(raw, "tokens", "image_tokens")),
        images=at(billed, "images"),
        search_units=at(billed, "search_units"),
    )


def rerank(document: Json) -> Usage | None:
    return cohere(document) or only_input(document)


def ocr(document: Json) -> Usage | None:
    return Usage(pages=at(document, "usage_info", "pages_processed"))


def ollama(document: Json) -> Usage | None:
    taken, given = at(document, "prompt_eval_count"), at(document, "eval_count")
    return None if taken is None and given is None else Usage(input_tokens=taken, output_tokens=given)


def llamacpp(document: Json) -> Usage | None:
    """Several prompts are answered by a list."""
    replies = document if isinstance(document, list) else [document]
    taken = together(*(at(reply, "tokens_evaluated") for reply in replies))
    given = together(*(at(reply, "tokens_predicted") for reply in replies))
    if taken is None and given is None:
        timings = dig(document, "timings")
        return llamacpp_timings(timings) if isinstance(timings, dict) else None
    cached = together(*(at(reply, "timings", "cache_n") for reply in replies))
    return Usage(input_tokens=taken, output_tokens=given, cache_read_input_tokens=cached)


def task(document: Json) -> Usage | None:
    """Hugging Face's text generation: a list of one, an object, or the last event of a stream."""
    reply = document[0] if isinstance(document, list) and document else document
    taken, given = at(reply, "details", "input_length"), at(reply, "details", "generated_tokens")
    return None if taken is None and given is None else Usage(input_tokens=taken, output_tokens=given)


def task_headers(headers: Headers) -> Usage | None:
    taken = number_in(header(headers, "x-prompt-tokens"))
    given = number_in(header(headers, "x-generated-tokens"))
    return None if taken is None and given is None else Usage(input_tokens=taken, output_tokens=given)
