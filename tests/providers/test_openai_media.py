import pytest

from mitmcache.providers import openai_media as media
from mitmcache.providers.base import Dialect, Json
from mitmcache.reasons import Reason
from providers.hearing import DONE, Heard, play

IMAGE = {"b64_json": "aGk="}
REPLIES: dict[str, tuple[Dialect, Json, Reason | None]] = {
    "embeddings": (media.EMBEDDINGS, {"data": [{"embedding": [0.5]}]}, None),
    "llama.cpp's own list of embeddings": (media.EMBEDDINGS, [{"embedding": [[0.5]]}], None),
    "llama.cpp's one embedding": (media.EMBEDDINGS, {"embedding": [0.5]}, None),
    "no embeddings": (media.EMBEDDINGS, {"data": []}, Reason.EMPTY),
    "an embeddings error": (media.EMBEDDINGS, {"error": {"code": 1}}, Reason.ERROR),
    "moderation": (media.MODERATIONS, {"results": [{"flagged": False}]}, None),
    "no moderation": (media.MODERATIONS, {"results": []}, Reason.EMPTY),
    "decision": (media.DECISIONS, {"answer": "yes"}, None),
    "an image": (media.IMAGES, {"data": [IMAGE]}, None),
    "an image by URL": (media.IMAGES, {"data": [IMAGE, {"url": "https://x.example"}]}, Reason.SIGNED_URL),
    "an image and no URL": (media.IMAGES, {"data": [{**IMAGE, "url": None}]}, None),
    "no image": (media.IMAGES, {"data": []}, Reason.EMPTY),
    "cohere's rerank": (media.RERANK, {"results": [{"index": 0}]}, None),
    "voyage's rerank": (media.RERANK, {"data": [{"index": 0}]}, None),
    "no rerank": (media.RERANK, {"id": "x"}, Reason.EMPTY),
    "tokens": (media.TOKENIZE, {"tokens": []}, None),
    "OCR": (media.OCR, {"pages": [{"markdown": "x"}]}, None),
    "no OCR": (media.OCR, {"pages": []}, Reason.EMPTY),
    "a transcription": (media.TRANSCRIPTIONS, {"text": ""}, None),
    "a transcription error": (media.TRANSCRIPTIONS, {"error": {"message": "x"}}, Reason.ERROR),
    "speech as JSON": (media.SPEECH, {"audio_data": "SUQz"}, None),
}


@pytest.mark.parametrize(("dialect", "document", "verdict"), REPLIES.values(), ids=REPLIES)
def test_a_reply_needs_what_was_asked_for(dialect: Dialect, document: Json, verdict: Reason | None) -> None:
    assert dialect.judge(document) is verdict


def test_an_image_asked_for_by_url_is_refused() -> None:
    assert media.IMAGES.refuse({"response_format": "url"}) is Reason.SIGNED_URL
    assert media.IMAGES.refuse({"response_format": "b64_json"}) is None
    assert media.IMAGES.refuse({}) is None


def kind(name: str) -> Json:
    return {"type": name}


STREAMS: dict[str, tuple[Dialect, list[Heard], bool, Reason | None]] = {
    "a transcript": (media.TRANSCRIPTIONS, [kind("transcript.text.done"), DONE], False, None),
    "mistral's transcript": (media.TRANSCRIPTIONS, [kind("transcription.done")], False, None),
    "a transcript cut": (media.TRANSCRIPTIONS, [kind("transcript.text.delta")], True, Reason.INCOMPLETE),
    "speech": (media.SPEECH, [kind("speech.audio.delta"), kind("speech.audio.done")], False, None),
    "speech cut": (media.SPEECH, [kind("speech.audio.delta")], True, Reason.INCOMPLETE),
    "speech with an error": (media.SPEECH, [kind("error"), kind("speech.audio.done")], True, Reason.ERROR),
    "an image": (media.IMAGES, [kind("image_generation.completed")], True, None),
    "an edit": (media.IMAGES, [kind("image_edit.partial_image"), kind("image_edit.completed")], True, None),
    "an image, and maybe more to come": (
        media.IMAGES,
        [kind("image_generation.completed")],
        False,
        Reason.INCOMPLETE,
    ),
    "an image cut": (media.IMAGES, [kind("image_generation.partial_image")], True, Reason.INCOMPLETE),
}


@pytest.mark.parametrize(("dialect", "events", "clean", "verdict"), STREAMS.values(), ids=STREAMS)
def test_a_stream_needs_its_marker(
    dialect: Dialect, events: list[Heard], clean: bool, verdict: Reason | None
) -> None:
    assert play(dialect, *events, clean_end=clean) is verdict


def test_speech_streams_by_its_own_field_and_a_form_by_text() -> None:
    assert media.SPEECH.streams("/v1/audio/speech", {"stream_format": "sse"})
    assert not media.SPEECH.streams("/v1/audio/speech", {"stream_format": "audio"})
    assert media.TRANSCRIPTIONS.streams("/v1/audio/transcriptions", {"stream": "true"})
    assert not media.TRANSCRIPTIONS.streams("/v1/audio/transcriptions", {"stream": "false"})


def test_only_audio_may_answer_with_what_is_not_json() -> None:
    assert media.SPEECH.opaque
    assert media.TRANSCRIPTIONS.opaque
    assert not media.IMAGES.opaque
