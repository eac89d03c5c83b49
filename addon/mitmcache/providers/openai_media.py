"""OpenAI's smaller operations, and those that others added beside them."""

from functools import partial
from typing import Any

from mitmcache.providers.base import Dialect, Json, no_error
from mitmcache.providers.openai_chat import in_path
from mitmcache.providers.tools import MarkerListener, alike, asks_stream, dicts, dig, having, is_word
from mitmcache.reasons import Reason


def refuse_images(body: Json) -> Reason | None:
    return Reason.SIGNED_URL if is_word(dig(body, "response_format"), "url") else None


def judge_images(document: Json) -> Reason | None:
    if fault := having("data")(document):
        return fault
    signed = any(image.get("url") for image in dicts(dig(document, "data")))
    return Reason.SIGNED_URL if signed else None


class ImagesListener(MarkerListener):
    """With `n` above one each image has its own completed event: the end of the stream decides."""

    def __init__(self) -> None:
        super().__init__("image_generation.completed", "image_edit.completed")
        self._images = 0

    def told(self, name: str, document: dict[str, Any]) -> None:
        super().told(name, document)
        self._images += self.ended
        self.ended = False

    def whole(self) -> bool:
        return self._images > 0


def streams_speech(path: str, body: Json) -> bool:
    return is_word(dig(body, "stream_format"), "sse") or asks_stream(path, body)


EMBEDDINGS = Dialect(
    "openai.embeddings",
    "embeddings",
    volatile=("user",),
    model=in_path,
    judge=having("data", "embedding", "embeddings"),
)
MODERATIONS = Dialect("openai.moderations", "moderation", model=in_path, judge=having("results"))
DECISIONS = Dialect(
    "openai.decisions",
    "decision",
    volatile=("safety_identifier", "prompt_cache_key", "prompt_cache_options"),
    model=in_path,
)
IMAGES = Dialect(
    "openai.images",
    "image_generation",
    volatile=("user", "safety_identifier"),
    model=in_path,
    streams=asks_stream,
    refuse=refuse_images,
    judge=judge_images,
    listen=alike(ImagesListener),
)
SPEECH = Dialect(
    "openai.audio.speech",
    "speech",
    model=in_path,
    streams=streams_speech,
    listen=alike(partial(MarkerListener, "speech.audio.done")),
    opaque=True,
)
TRANSCRIPTIONS = Dialect(
    "openai.audio.transcriptions",
    "transcription",
    model=in_path,
    streams=asks_stream,
    judge=no_error,
    # OpenAI's, Mistral's
    listen=alike(partial(MarkerListener, "transcript.text.done", "transcription.done")),
    opaque=True,
)
RERANK = Dialect("rerank", "rerank", model=in_path, judge=having("results", "data"))
TOKENIZE = Dialect("tokenize", "tokenize")
OCR = Dialect("ocr", "ocr", volatile=("id",), judge=having("pages"))
