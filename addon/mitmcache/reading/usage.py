"""What a whole answer says of its usage, in every dialect, streamed or not."""

from collections.abc import Callable
from typing import Any

from mitmcache.exchange import Headers, Usage
from mitmcache.providers.base import Json
from mitmcache.reading import usage_anthropic, usage_openai, usage_others
from mitmcache.reading.counts import highest
from mitmcache.reading.documents import Named, documents

_DOCUMENT: dict[str, Callable[[Json], Usage | None]] = {
    "openai.chat": usage_openai.openai,
    "mistral.fim": usage_openai.openai,
    "openai.completions": usage_openai.openai,
    "openai.responses": usage_openai.openai,
    "openai.decisions": usage_openai.openai,
    "openai.audio.speech": usage_openai.openai,
    "openai.embeddings": usage_openai.only_input,
    "openai.images": usage_openai.images,
    "openai.audio.transcriptions": usage_openai.transcription,
    "gemini.generate": usage_others.gemini,
    "gemini.code_assist": usage_others.gemini,
    "gemini.embed": usage_others.gemini,
    "gemini.predict": usage_others.predict,
    "gemini.interactions": usage_others.interaction,
    "cohere.v2.chat": usage_others.cohere,
    "cohere.v1.chat": usage_others.cohere,
    "cohere.embed": usage_others.cohere,
    "rerank": usage_others.rerank,
    "ocr": usage_others.ocr,
    "ollama.chat": usage_others.ollama,
    "ollama.embed": usage_others.ollama,
    "llamacpp.completion": usage_others.llamacpp,
    "hf.task": usage_others.task,
}
"""Readers of one document; of a stream the last event that tells anything is the whole."""

_GROWING = {
    "anthropic.messages": (usage_anthropic.messages_usage, usage_anthropic.messages),
    "bedrock.converse": (usage_anthropic.converse_usage, usage_anthropic.converse),
}
"""Where the object is, and what it says; several events of one stream tell parts of it."""

UNBILLED = frozenset(
    {
        *("anthropic.count_tokens", "bedrock.count_tokens", "gemini.count_tokens"),
        *("openai.responses.input_tokens", "openai.moderations", "tokenize", "anthropic.complete"),
    }
)
"""Dialects that tell none: counting tokens uses none, and the others are silent."""


def usage(dialect: str, headers: Headers, body: bytes) -> Usage | None:
    """What the reply says was used, None where it says nothing. Never raises.

    `dialect` is a dialect's name, `body` is content-decoded. Of a stream that was cut off, what it had
    said until then.
    """
    if dialect in UNBILLED:
        return None
    read, _ = documents(dialect, headers, body)
    return used(dialect, headers, read)


def used(dialect: str, headers: Headers, read: list[Named]) -> Usage | None:
    """The same of documents that were read already."""
    plain = [document for _, document in read]
    if dialect == "bedrock.invoke":
        found = _invoked(headers, plain)
    elif dialect == "openai.images" and len(plain) > 1:
        found = usage_openai.image_events(plain)
    elif growing := _GROWING.get(dialect):
        found = _grown(*growing, plain)
    elif reader := _DOCUMENT.get(dialect):
        found = _last(reader, plain)
    else:
        return None
    if dialect == "hf.task" and found is None:
        found = usage_others.task_headers(headers)
    return None if found == Usage() else found


def _last(reader: Callable[[Json], Usage | None], plain: list[Json]) -> Usage | None:
    said = (reader(document) for document in reversed(plain))
    return next((each for each in said if each is not None), None)


def _grown(
    find: Callable[[Json], dict[str, Any] | None],
    read: Callable[[dict[str, Any]], Usage],
    plain: list[Json],
) -> Usage | None:
    merged = _merged(find, plain)
    return read(merged) if merged else None


def _merged(find: Callable[[Json], dict[str, Any] | None], plain: list[Json]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for raw in filter(None, map(find, plain)):
        merged = highest(merged, raw)
    return merged


def _invoked(headers: Headers, plain: list[Json]) -> Usage | None:
    """Bedrock's own count, which it bills; a Claude's words where Bedrock is silent, else the model's."""
    claude = _merged(usage_anthropic.messages_usage, plain)
    told = usage_anthropic.told_by_bedrock(plain, headers)
    if told or "input_tokens" in claude:
        return usage_anthropic.messages({**claude, **told, "iterations": None} if told else claude)
    return _last(usage_anthropic.invoked, plain)
