"""A reply's document as turns, and the reason why the model stopped."""

from collections.abc import Callable

from mitmcache.providers.base import Json
from mitmcache.providers.tools import dicts, dig
from mitmcache.reading.blocks import blocks, thought
from mitmcache.reading.text import compact, media
from mitmcache.reading.turns import Turn, called_function, message, turn
from mitmcache.reading.turns_request import item

type Answer = tuple[list[Turn], str]

ASSISTANT = "assistant"


def answered(dialect: str, document: Json) -> Answer:
    """Turns and finish reason; no turns where the document is of no form that is known. Errors are read
    in every dialect."""
    reader = _READERS.get(dialect)
    turns, finish = reader(document) if reader else ([], "")
    if failed := _error(document):
        turns = [*turns, turn("error", failed)]
    return [each for each in turns if each.says], finish


def _error(document: Json) -> str:
    error = dig(document, "error")
    if not error and isinstance(document, list) and document:
        error = dig(document[0], "error")  # Gemini's streams fail with an array
    if error:
        return compact(dig(error, "message") or error)
    alone = dig(document, "message")
    return compact(alone) if isinstance(alone, str) and len(document) <= 3 else ""


def _joined(*reasons: Json) -> str:
    said = [reason if isinstance(reason, str) else compact(reason) for reason in reasons if reason]
    return ", ".join(dict.fromkeys(said))


def _chat(document: Json) -> Answer:
    choices = dicts(dig(document, "choices"))
    turns = []
    for choice in choices:
        if isinstance(said := choice.get("message"), dict):
            turns.append(message(said, ASSISTANT))
        else:
            turns.append(turn(ASSISTANT, choice.get("text")))
    return turns, _joined(
        *(choice.get("finish_reason") or dig(choice, "finish_details", "type") for choice in choices)
    )


def _responses(document: Json) -> Answer:
    output = dig(document, "output")
    turns = [item(each, ASSISTANT) for each in dicts(output)]
    if isinstance(failed := dig(document, "error"), dict) and not turns:
        return [], _joined(dig(document, "status"), failed.get("code"))
    return turns, _joined(dig(document, "status"), dig(document, "incomplete_details", "reason"))


def _anthropic(document: Json) -> Answer:
    return [turn(ASSISTANT, dig(document, "content"))], _joined(dig(document, "stop_reason"))


def _complete(document: Json) -> Answer:
    return [turn(ASSISTANT, dig(document, "completion"))], _joined(dig(document, "stop_reason"))


def _gemini(document: Json) -> Answer:
    candidates = dicts(dig(document, "candidates"))
    turns = [
        turn(dig(each, "content", "role") or ASSISTANT, dig(each, "content", "parts")) for each in candidates
    ]
    reasons = [each.get("finishReason") for each in candidates]
    return turns, _joined(*reasons, dig(document, "promptFeedback", "blockReason"))


def _interaction(document: Json) -> Answer:
    steps = dicts(dig(document, "steps")) or dicts(dig(document, "outputs"))
    return [item(each, ASSISTANT) for each in steps], _joined(dig(document, "status"))


def _converse(document: Json) -> Answer:
    said = dig(document, "output", "message")
    turns = [message(said, ASSISTANT)] if isinstance(said, dict) else []
    return turns, _joined(dig(document, "stopReason"))


def _invoke(document: Json) -> Answer:
    """The model's own form."""
    if dig(document, "output", "message"):
        return _converse(document)
    if dicts(dig(document, "choices")):
        return _chat(document)
    if isinstance(dig(document, "content"), list):
        return _anthropic(document)
    texts = [dig(document, name) for name in ("completion", "generation", "text", "outputText")]
    results = [
        *dicts(dig(document, "results")),
        *dicts(dig(document, "outputs")),
        *dicts(dig(document, "completions")),
    ]
    texts += [each.get("outputText") or each.get("text") or dig(each, "data", "text") for each in results]
    ends = [dig(document, "stop_reason"), dig(document, "finish_reason")]
    ends += [each.get("completionReason") or dig(each, "finishReason", "reason") for each in results]
    return [turn(ASSISTANT, *texts), *_vectors(document)[0]], _joined(*ends)


def _cohere_v2(document: Json) -> Answer:
    said = dig(document, "message")
    turns = [message(said, ASSISTANT)] if isinstance(said, dict) else []
    return turns, _joined(dig(document, "finish_reason"))


def _cohere_v1(document: Json) -> Answer:
    generations = dicts(dig(document, "generations"))
    calls = [called_function(each) for each in dicts(dig(document, "tool_calls"))]
    turns = [turn(ASSISTANT, dig(document, "text"), calls)]
    turns += [turn(ASSISTANT, each.get("text")) for each in generations]
    return turns, _joined(
        dig(document, "finish_reason"), *(each.get("finish_reason") for each in generations)
    )


def _ollama(document: Json) -> Answer:
    thinking = dig(document, "thinking")
    plain = turn(ASSISTANT, [thought(thinking)] if thinking else None, dig(document, "response"))
    said = dig(document, "message")
    turns = [message(said, ASSISTANT)] if isinstance(said, dict) else []
    return [*turns, plain], _joined(dig(document, "done_reason"))


def _llamacpp(document: Json) -> Answer:
    replies = document if isinstance(document, list) else [document]
    turns = [turn(ASSISTANT, dig(each, "content")) for each in replies]
    return turns, _joined(*(dig(each, "stop_type") for each in replies))


def _task(document: Json) -> Answer:
    replies = document if isinstance(document, list) else [document]
    texts = [dig(each, "generated_text") for each in replies]
    said = [text for text in texts if isinstance(text, str)]
    other = [] if said else [compact(document)]
    return [turn(ASSISTANT, *said, *other)], _joined(
        *(dig(each, "details", "finish_reason") for each in replies)
    )


def _vectors(document: Json) -> Answer:
    """Embeddings are told by number and dimensions."""
    data = dicts(dig(document, "data")) or dicts(dig(document, "embeddings"))
    found = [each.get("embedding") or each.get("values") for each in data]
    found += [dig(each, "embeddings", "values") for each in dicts(dig(document, "predictions"))]
    found += [dig(document, "embedding", "values") or dig(document, "embedding")]
    several = dig(document, "embeddings")
    for lists in several.values() if isinstance(several, dict) else [several]:
        found += lists if isinstance(lists, list) else []
    vectors = [each for each in found if isinstance(each, list | str) and each]
    if not vectors:
        return [], ""
    kinds = {f"{len(each)} numbers" if isinstance(each, list) else "packed numbers" for each in vectors}
    return [
        turn(
            "embeddings",
            f"[{len(vectors)} vector{'s' * (len(vectors) > 1)} of {', '.join(sorted(kinds)[:5])}]",
        )
    ], ""


def _images(document: Json) -> Answer:
    made = dicts(dig(document, "data")) or dicts(dig(document, "predictions"))
    said = [
        media(
            "image",
            each.get("mimeType"),
            each.get("b64_json") or each.get("bytesBase64Encoded") or each.get("url"),
        )
        for each in made
    ]
    said += [text for each in made for text in blocks(each.get("revised_prompt"))]
    return [turn(ASSISTANT, said)], ""


def _predict(document: Json) -> Answer:
    vectors = _vectors(document)
    return vectors if vectors[0] else _images(document)


def _transcript(document: Json) -> Answer:
    audio = dig(document, "audio") or dig(document, "audio_data")
    said = [media("audio", None, audio)] if isinstance(audio, str) else []
    return [turn("transcript", dig(document, "text")), turn(ASSISTANT, said)], ""


def _ocr(document: Json) -> Answer:
    return [turn("page", each.get("markdown")) for each in dicts(dig(document, "pages"))[:1000]], ""


def _plain(document: Json) -> Answer:
    """What is short enough to be read as it is."""
    return ([turn("reply", compact(document))], "") if isinstance(document, dict | list) else ([], "")


_READERS: dict[str, Callable[[Json], Answer]] = {
    **dict.fromkeys(("openai.chat", "openai.completions", "mistral.fim"), _chat),
    **dict.fromkeys(("openai.embeddings", "gemini.embed", "cohere.embed", "ollama.embed"), _vectors),
    **dict.fromkeys(("openai.audio.transcriptions", "openai.audio.speech"), _transcript),
    **dict.fromkeys(("openai.moderations", "openai.decisions", "rerank", "tokenize"), _plain),
    **dict.fromkeys(("anthropic.count_tokens", "gemini.count_tokens", "bedrock.count_tokens"), _plain),
    "openai.responses.input_tokens": _plain,
    "openai.responses": _responses,
    "openai.images": _images,
    "anthropic.messages": _anthropic,
    "anthropic.complete": _complete,
    **dict.fromkeys(("gemini.generate", "gemini.code_assist"), _gemini),
    "gemini.interactions": _interaction,
    "gemini.predict": _predict,
    "bedrock.converse": _converse,
    "bedrock.invoke": _invoke,
    "cohere.v2.chat": _cohere_v2,
    "cohere.v1.chat": _cohere_v1,
    "ollama.chat": _ollama,
    "llamacpp.completion": _llamacpp,
    "hf.task": _task,
    "ocr": _ocr,
}
