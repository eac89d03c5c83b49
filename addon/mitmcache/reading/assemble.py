"""A stream's events as the one document that the same call without streaming would have been answered with.

Near enough to be read as such: ids, times and log probabilities are not put together.
"""

from collections.abc import Callable
from typing import Any

from mitmcache.providers.base import Json
from mitmcache.providers.tools import dicts, dig, is_word
from mitmcache.reading import assemble_typed
from mitmcache.reading.documents import Named
from mitmcache.reading.pieces import Slots, grow, joined, word


def assembled(dialect: str, events: list[Named]) -> Json:
    """None where nothing of these events is known. An error among them is the document's `error`."""
    events = [(name, event) for name, event in events if isinstance(event, dict)]
    make = _MAKERS.get(dialect)
    document = make(events) if make else None
    failed = next((event for _, event in events if _is_error(event)), None)
    if failed is None:
        return document
    return {**(document if isinstance(document, dict) else {}), "error": dig(failed, "error") or failed}


def _is_error(event: Json) -> bool:
    return bool(dig(event, "error")) or is_word(dig(event, "type"), "error")


def chat(events: list[Named]) -> Json:
    """OpenAI's chunks of chat and of completions."""
    choices, model = Slots(), None
    for _, event in events:
        model = model or word(dig(event, "model"))
        for given in dicts(dig(event, "choices")):
            choice = choices.at(given.get("index") or 0)
            choice["finish_reason"] = given.get("finish_reason") or choice.get("finish_reason")
            grow(choice, "text", given.get("text"))
            delta = given.get("delta")
            if isinstance(delta, dict):
                _delta(choice.setdefault("message", {"role": "assistant", "calls": Slots()}), delta)
    if not choices:
        return None
    for choice in choices.all():
        joined(choice, "text")
        if isinstance(message := choice.get("message"), dict):
            _close(message)
    return {"model": model, "choices": choices.all()}


_TEXTS = ("content", "refusal", "reasoning_content", "reasoning", "thinking")


def _delta(message: dict[str, Any], delta: dict[str, Any]) -> None:
    for name in _TEXTS:
        grow(message, name, delta.get(name))
    for part in dicts(delta.get("content")):  # Mistral's reasoning
        grow(message, "reasoning", "".join(_texts(part.get("thinking"))))
        grow(message, "content", part.get("text"))
    for call in [*dicts(delta.get("tool_calls")), *_legacy(delta)]:
        held = _call(message, call)
        held["id"] = held.get("id") or call.get("id")
        held["name"] = held.get("name") or dig(call, "function", "name")
        given = dig(call, "function", "arguments")
        grow(held, "arguments", given) if isinstance(given, str) else held.setdefault("whole", given)
    audio = delta.get("audio")
    if isinstance(audio, dict):
        heard = message.setdefault("audio", {})
        grow(heard, "data", audio.get("data"))
        grow(heard, "transcript", audio.get("transcript"))
    message.setdefault("images", []).extend(dicts(delta.get("images"))[:64])


def _call(message: dict[str, Any], piece: dict[str, Any]) -> dict[str, Any]:
    """The call that this is a piece of. Some servers number all of them 0: then id and name begin another."""
    calls: Slots = message["calls"]
    number, name = piece.get("index"), piece.get("id")
    if number is None:
        return calls.at(name)
    latest = message.setdefault("latest", {})
    held = calls.at(latest.get(str(number), number))
    if name and dig(piece, "function", "name") and (held.get("id") or name) != name:
        latest[str(number)] = f"{number} {name}"
        return calls.at(latest[str(number)])
    return held


def _texts(value: Json) -> list[str]:
    return [text for part in dicts(value) if isinstance(text := part.get("text"), str)]


def _legacy(delta: dict[str, Any]) -> list[dict[str, Any]]:
    function = delta.get("function_call")
    return [{"index": "function_call", "function": function}] if isinstance(function, dict) else []


def _close(message: dict[str, Any]) -> None:
    joined(message, *_TEXTS)
    message.pop("latest", None)
    message["tool_calls"] = [
        {"id": held.get("id"), "function": {"name": held.get("name"), "arguments": _arguments(held)}}
        for held in message.pop("calls").all()
    ]
    if isinstance(audio := message.get("audio"), dict):
        joined(audio, "data", "transcript")


def _arguments(held: dict[str, Any]) -> Json:
    return joined(held, "arguments").get("arguments") or held.get("whole")


def gemini(events: list[Named]) -> Json:
    """The parts of every candidate, pieces of one text put together."""
    candidates, last = Slots(), {}
    for _, event in events:
        if isinstance(blocked := dig(event, "promptFeedback"), dict):
            last["promptFeedback"] = blocked
        for given in dicts(dig(event, "candidates")):
            candidate = candidates.at(given.get("index") or 0)
            candidate["finishReason"] = given.get("finishReason") or candidate.get("finishReason")
            parts = candidate.setdefault("content", {"role": "model", "parts": []})["parts"]
            for part in dicts(dig(given, "content", "parts")):
                _part(parts, part)
    for candidate in candidates.all():
        for part in candidate["content"]["parts"]:
            joined(part, "text")
    return {"candidates": candidates.all(), **last} if candidates or last else None


def _part(parts: list[dict[str, Any]], part: dict[str, Any]) -> None:
    plain = part.keys() <= {"text", "thought", "thoughtSignature"}
    if plain and parts and "text" in parts[-1] and parts[-1].get("thought") == part.get("thought"):
        grow(parts[-1], "text", part.get("text"))
    elif len(parts) < 10_000:
        parts.append({**part, "text": [part["text"]]} if isinstance(part.get("text"), str) else part)


def cohere_v1(events: list[Named]) -> Json:
    """The last event has the whole."""
    whole: dict[str, Any] = {}
    for _, event in events:
        grow(whole, "text", dig(event, "text"))
        if isinstance(last := dig(event, "response"), dict):
            return {**last, "finish_reason": dig(event, "finish_reason") or last.get("finish_reason")}
    return joined(whole, "text") or None


def ollama(events: list[Named]) -> Json:
    whole: dict[str, Any] = {}
    message: dict[str, Any] = {"role": "assistant"}
    for _, event in events:
        whole["done_reason"] = dig(event, "done_reason")
        grow(whole, "response", dig(event, "response"))
        grow(whole, "thinking", dig(event, "thinking"))
        for name in ("content", "thinking"):
            grow(message, name, dig(event, "message", name))
        message.setdefault("tool_calls", []).extend(dicts(dig(event, "message", "tool_calls")))
    joined(message, "content", "thinking")
    return {**joined(whole, "response", "thinking"), "message": message} if events else None


def llamacpp(events: list[Named]) -> Json:
    whole: dict[str, Any] = {}
    for _, event in events:
        grow(whole, "content", dig(event, "content"))
        whole["stop_type"] = dig(event, "stop_type") or whole.get("stop_type")
    return joined(whole, "content") if events else None


def task(events: list[Named]) -> Json:
    """Hugging Face: tokens, and at the end the whole text."""
    whole: dict[str, Any] = {}
    for _, event in events:
        if isinstance(text := dig(event, "generated_text"), str):
            return {"generated_text": text, "details": dig(event, "details")}
        grow(whole, "generated_text", dig(event, "token", "text"))
    return joined(whole, "generated_text") or None


def media(events: list[Named]) -> Json:
    """Images, speech and transcripts: the events that end one have the whole of it."""
    whole: dict[str, Any] = {}
    for name, event in events:
        kind = dig(event, "type") or name
        if isinstance(picture := dig(event, "b64_json"), str) and str(kind).endswith(".completed"):
            whole.setdefault("data", []).append({"b64_json": picture})
        if is_word(kind, "speech.audio.delta"):
            grow(whole, "audio", dig(event, "audio"))
        if is_word(kind, "transcript.text.delta", "transcription.text.delta"):
            grow(whole, "text", dig(event, "delta") or dig(event, "text"))
        if is_word(kind, "transcript.text.done", "transcription.done"):
            whole["text"] = dig(event, "text")
    return joined(whole, "text", "audio") or None


_MAKERS: dict[str, Callable[[list[Named]], Json]] = {
    **dict.fromkeys(("openai.chat", "openai.completions", "mistral.fim"), chat),
    **dict.fromkeys(("openai.images", "openai.audio.speech", "openai.audio.transcriptions"), media),
    "openai.responses": assemble_typed.responses,
    "anthropic.messages": assemble_typed.messages,
    "anthropic.complete": assemble_typed.complete,
    **dict.fromkeys(("gemini.generate", "gemini.code_assist"), gemini),
    "gemini.interactions": assemble_typed.interaction,
    "bedrock.converse": assemble_typed.converse,
    "bedrock.invoke": lambda events: assemble_typed.invoked(events, chat),
    "cohere.v2.chat": assemble_typed.cohere_v2,
    "cohere.v1.chat": cohere_v1,
    "ollama.chat": ollama,
    "llamacpp.completion": llamacpp,
    "hf.task": task,
}
