"""The usage of OpenAI's operations, as its many imitators write it."""

from dataclasses import replace
from typing import Any

from mitmcache.exchange import Usage
from mitmcache.providers.base import Json
from mitmcache.providers.tools import dig
from mitmcache.reading.counts import at, count, first, seconds, together

_INPUT = ("prompt_tokens_details", "input_tokens_details", "input_token_details", "prompt_token_details")
_OUTPUT = ("completion_tokens_details", "output_tokens_details", "output_token_details")


def openai(document: Json) -> Usage | None:
    """`usage`; Groq's streams have it in `x_groq`, Responses' events in `response`, llama.cpp has timings."""
    for holder in (document, dig(document, "x_groq"), dig(document, "response")):
        raw = dig(holder, "usage")
        if isinstance(raw, dict):
            return _read(raw)
    timings = dig(document, "timings")
    return llamacpp_timings(timings) if isinstance(timings, dict) else None


def only_input(document: Json) -> Usage | None:
    """For operations that give no text: who tells a total alone tells the input."""
    raw = dig(document, "usage")
    if not isinstance(raw, dict):
        return None
    if not {"prompt_tokens", "input_tokens"} & raw.keys():
        raw = {**raw, "prompt_tokens": raw.get("total_tokens")}
    return _read(raw)


def images(document: Json) -> Usage | None:
    """gpt-image tells tokens; of the others the images themselves are the bill."""
    data = dig(document, "data")
    made = len(data) if isinstance(data, list) else None
    raw = dig(document, "usage")
    return replace(_read(raw) if isinstance(raw, dict) else Usage(), images=made)


def image_events(documents: list[Json]) -> Usage | None:
    """Each image has an event of its own at its end."""
    ends = [each for each in documents if str(dig(each, "type")).endswith(".completed")]
    return replace(openai(ends[-1]) or Usage(), images=len(ends)) if ends else None


def transcription(document: Json) -> Usage | None:
    """Tokens, or seconds; whisper tells the seconds beside a verbose text alone."""
    raw = dig(document, "usage")
    if isinstance(raw, dict):
        return _read(raw)
    heard = seconds(dig(document, "duration"))
    return None if heard is None else Usage(audio_seconds=heard)


def llamacpp_timings(timings: dict[str, Any]) -> Usage:
    """llama.cpp's streams: `prompt_n` are those that its cache did not hold."""
    cached = at(timings, "cache_n")
    prompt = at(timings, "prompt_n")
    return Usage(
        input_tokens=None if prompt is None else together(prompt, cached),
        output_tokens=at(timings, "predicted_n"),
        cache_read_input_tokens=cached,
    )


def _read(raw: dict[str, Any]) -> Usage:
    inside = next((part for name in _INPUT if isinstance(part := raw.get(name), dict)), {})
    outside = next((part for name in _OUTPUT if isinstance(part := raw.get(name), dict)), {})
    audio = count(inside.get("audio_tokens"))
    if audio is None and "prompt_audio_seconds" in raw:
        audio = _untold_audio(raw)
    reasoning = first(count(outside.get("reasoning_tokens")), count(raw.get("reasoning_tokens")))
    cached = first(
        count(inside.get("cached_tokens")),
        count(raw.get("cached_tokens")),
        count(raw.get("num_cached_tokens")),
        count(raw.get("prompt_cache_hit_tokens")),
        count(raw.get("cache_read_input_tokens")),
    )
    taken, given, total = _whole(raw, audio, reasoning, cached)
    return Usage(
        input_tokens=taken,
        output_tokens=given,
        cache_read_input_tokens=cached,
        cache_creation_input_tokens=first(
            count(inside.get("cache_write_tokens")), count(raw.get("cache_creation_input_tokens"))
        ),
        reasoning_output_tokens=reasoning,
        total_tokens=total,
        audio_input_tokens=audio,
        audio_output_tokens=count(outside.get("audio_tokens")),
        image_input_tokens=count(inside.get("image_tokens")),
        image_output_tokens=count(outside.get("image_tokens")),
        audio_seconds=first_seconds(raw),
        web_searches=count(raw.get("num_search_queries")),
    )


def _untold_audio(raw: dict[str, Any]) -> int | None:
    """Mistral's transcriptions tell the seconds of the audio, and its tokens in the total alone."""
    taken, given, total = (at(raw, name) for name in ("prompt_tokens", "completion_tokens", "total_tokens"))
    if taken is None or given is None or total is None or not seconds(raw.get("prompt_audio_seconds")):
        return None
    return total - taken - given if total > taken + given else None


def first_seconds(raw: dict[str, Any]) -> float | None:
    heard = seconds(raw.get("seconds"))
    return heard if heard is not None else seconds(raw.get("prompt_audio_seconds"))


def _whole(
    raw: dict[str, Any], audio: int | None, reasoning: int | None, cached: int | None
) -> tuple[int | None, int | None, int | None]:
    """Input, output and total. The total tells who counts audio (Mistral), reasoning (xAI) or what was cached
    (Charm) beside them."""
    taken = first(count(raw.get("prompt_tokens")), count(raw.get("input_tokens")))
    given = first(count(raw.get("completion_tokens")), count(raw.get("output_tokens")))
    total = count(raw.get("total_tokens"))
    if taken is None or given is None or total is None:
        return taken, given, total
    beside = total - taken - given
    if beside > 0 and beside == audio:
        return taken + beside, given, total
    if beside > 0 and beside == reasoning:
        return taken, given + beside, total
    if beside > 0 and beside == cached:
        return taken + beside, given, total
    return taken, given, total
