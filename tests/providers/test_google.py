import copy
from typing import Any

import pytest

from mitmcache.cache.prune import prune as take_out
from mitmcache.providers import google
from mitmcache.providers.base import Json
from mitmcache.reasons import Reason
from mitmcache.wire.sse import SseReader
from providers.hearing import DONE, Heard, play


def part(reason: Json = None, index: int | None = 0, text: str = "a", **more: Any) -> Json:
    candidate = {"index": index, "content": {"parts": [{"text": text}]}, "finishReason": reason}
    return {"candidates": [{key: value for key, value in candidate.items() if value is not None}], **more}


BLOCKED = {"promptFeedback": {"blockReason": "SAFETY"}}
FILTERED = """
    SAFETY RECITATION LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII MODEL_ARMOR
    IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT IMAGE_RECITATION
"""
REPLIES: list[tuple[Json, Reason | None]] = [
    (part("STOP"), None),
    (part("MAX_TOKENS"), None),
    (part(1), None),
    (part("STOP", None), None),
    (part(None), Reason.INCOMPLETE),
    (part("FINISH_REASON_UNSPECIFIED"), Reason.INCOMPLETE),
    (part("OTHER"), Reason.INCOMPLETE),
    (part("A_REASON_YET_TO_COME"), Reason.INCOMPLETE),
    (part(5), Reason.INCOMPLETE),
    (part({"a": 1}), Reason.INCOMPLETE),
    *((part(reason), Reason.CONTENT_FILTER) for reason in (*FILTERED.split(), 3, 4, 6, 7, 8)),
    (part("MALFORMED_FUNCTION_CALL"), Reason.TOOL_ARGUMENTS),
    (part("UNEXPECTED_TOOL_CALL"), Reason.TOOL_ARGUMENTS),
    (part(9), Reason.TOOL_ARGUMENTS),
    (BLOCKED, Reason.CONTENT_FILTER),
    ({"candidates": [], "usageMetadata": {}}, Reason.INCOMPLETE),
    ({"error": {"code": 503}}, Reason.ERROR),
    ([part(), part("STOP")], None),
    ([part(), part()], Reason.INCOMPLETE),
    ([part("STOP"), part()], Reason.INCOMPLETE),
    ([part("STOP"), {"usageMetadata": {}}], None),
    ([part(), {"error": {"code": 500}}], Reason.ERROR),
    ([], Reason.INCOMPLETE),
    (None, Reason.INCOMPLETE),
    ("x", Reason.INCOMPLETE),
]


@pytest.mark.parametrize(("document", "verdict"), REPLIES)
def test_an_answer_stopped_or_ran_out_of_tokens(document: Json, verdict: Reason | None) -> None:
    assert google.judge(document) is verdict


STREAMS: dict[str, tuple[list[Heard], Reason | None]] = {
    "the last text has a reason": ([part(), part("STOP")], None),
    "old models give a reason each time": ([part("STOP"), part("STOP")], None),
    "usage after the end": ([part(), part("STOP"), {"usageMetadata": {}}], None),
    "text after a reason": ([part("STOP"), part()], Reason.INCOMPLETE),
    "one candidate of two": ([part("STOP"), part(index=1)], Reason.INCOMPLETE),
    "a zero that is left out now and then": ([part(), part(index=None), part("STOP")], None),
    "a zero that is left out at the end": ([part(), part("STOP", None)], None),
    "both candidates": ([part(), part(index=1), part("STOP"), part("STOP", 1)], None),
    "cut": ([part()], Reason.INCOMPLETE),
    "nothing": ([], Reason.INCOMPLETE),
    "blocked": ([BLOCKED], Reason.CONTENT_FILTER),
    "filtered half way": ([part(), part("SAFETY")], Reason.CONTENT_FILTER),
    "an error": ([part(), {"error": {"code": 503}}], Reason.ERROR),
}


@pytest.mark.parametrize(("events", "verdict"), STREAMS.values(), ids=STREAMS)
def test_a_stream_is_kept_when_every_candidate_finished(events: list[Heard], verdict: Reason | None) -> None:
    assert play(google.GENERATE, *events) is verdict


def test_without_a_marker_the_end_must_be_clean() -> None:
    assert play(google.GENERATE, part("STOP"), clean_end=False) is Reason.INCOMPLETE


def test_predictions_are_kept_unless_filtered() -> None:
    assert google.PREDICT.judge({"predictions": [{"embeddings": {}}]}) is None
    assert google.PREDICT.judge({"predictions": [{"raiFilteredReason": "x"}]}) is Reason.CONTENT_FILTER
    assert google.PREDICT.judge({}) is Reason.EMPTY


def test_a_prediction_written_to_a_bucket_is_refused() -> None:
    assert google.PREDICT.refuse({"parameters": {"storageUri": "gs://b"}}) is Reason.STORE
    assert google.PREDICT.refuse({"parameters": {"sampleCount": 1}}) is None


def test_embeddings_and_counts_need_their_field() -> None:
    assert google.EMBED.judge({"embedding": {"values": [1]}}) is None
    assert google.EMBED.judge({"embeddings": [{"values": [1]}]}) is None
    assert google.EMBED.judge({}) is Reason.EMPTY
    assert google.COUNT_TOKENS.judge({"totalTokens": 1}) is None
    assert google.COUNT_TOKENS.judge({}) is Reason.EMPTY


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ({"model": "m", "input": "hi"}, None),
        ({"store": False}, None),
        ({"store": True}, Reason.STORE),
        ({"background": True, "agent": "a"}, Reason.BACKGROUND),
        ({"agent": "a"}, Reason.CONVERSATION),
        ({"previous_interaction_id": "i"}, Reason.CONVERSATION),
    ],
)
def test_an_interaction_that_goes_on_is_refused(body: Json, verdict: Reason | None) -> None:
    assert google.INTERACTIONS.refuse(body) is verdict


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("completed", None),
        ("requires_action", None),
        ("in_progress", Reason.INCOMPLETE),
        ("incomplete", Reason.INCOMPLETE),
        ("cancelled", Reason.INCOMPLETE),
        ("failed", Reason.ERROR),
        (None, Reason.INCOMPLETE),
    ],
)
def test_an_interaction_is_kept_when_completed(status: Json, verdict: Reason | None) -> None:
    interaction = {"status": status}
    assert google.INTERACTIONS.judge(interaction) is verdict
    last = {"event_type": "interaction.completed", "interaction": interaction}
    assert play(google.INTERACTIONS, last, ("done", "x"), clean_end=False) is verdict


def test_an_interaction_cut_is_not_kept() -> None:
    assert play(google.INTERACTIONS, {"event_type": "step.stop"}, DONE) is Reason.INCOMPLETE


@pytest.mark.parametrize(
    ("path", "model", "stream"),
    [
        ("/v1beta/models/gemini-2.5-flash:generateContent", "gemini-2.5-flash", False),
        ("/v1beta/tunedModels/mine:streamGenerateContent", "mine", True),
        ("/v1/projects/p/locations/l/endpoints/12:generateContent", "12", False),
    ],
)
def test_the_path_tells_the_model_and_the_stream(path: str, model: str, stream: bool) -> None:
    assert google.GENERATE.model(path, {}) == model
    assert google.GENERATE.streams(path, {}) is stream


def asked_with(*ids: str | None) -> Json:
    """Two calls of one function and their responses, of these ids."""
    names = ("functionCall", "functionCall", "functionResponse", "function_response")
    own = [{"name": "f"} if name is None else {"name": "f", "id": name} for name in ids]
    parts = [{name: call} for name, call in zip(names, own, strict=True)]
    body: Json = {"contents": [{"role": "model", "parts": parts[:2]}, {"parts": parts[2:]}], "id": "x"}
    take_out(body, google.GENERATE)
    return body


def test_the_ids_of_function_calls_count_only_for_what_is_whose() -> None:
    assert asked_with("a", "b", "a", "b") == asked_with("c", "d", "c", "d")
    assert asked_with("a", "b", "a", "b") != asked_with("a", "b", "b", "a")
    assert asked_with("a", "b", "a", "b") != asked_with("a", "a", "a", "a")
    assert asked_with("a", "b", "a", "b") != asked_with(None, None, None, None)
    assert asked_with("a", "b", "a", "b")["id"] == "x"


A, B = "3f0c1a52-77de-4b0a-9a3e-0123456789ab", "b81f44aa-0d6c-4e55-8f1b-ba9876543210"


def answered_as(*names: str, called: str = "f", text: str = "1") -> Json:
    """A call, and responses under these names, which are repeated in what they say."""
    parts = [
        {"functionResponse": {"name": name, "response": {"name": name, "content": text + str(number)}}}
        for number, name in enumerate(names)
    ]
    body: Json = {"contents": [{"parts": [{"functionCall": {"name": called}}]}, {"parts": parts}]}
    take_out(body, google.GENERATE)
    return body


def test_a_made_up_id_in_the_place_of_a_responses_name_does_not_count() -> None:
    assert answered_as(A) == answered_as(B) == answered_as(f"call_{A}")
    assert answered_as(A, B) == answered_as(B, A) != answered_as(A, A)
    assert answered_as(A) != answered_as("f") != answered_as("g")
    assert answered_as(A) != answered_as(A, text="2")
    assert answered_as(A, B, called=A) != answered_as(B, A, called=A)
    assert answered_as(A[:-1]) != answered_as(B[:-1])


@pytest.mark.parametrize(
    "body",
    [
        {"contents": "a"},
        {
            "contents": [
                1,
                {"parts": [{"functionCall": 1}, {"functionResponse": {"name": A[1:], "response": 1}}]},
            ]
        },
        {"contents": [{"parts": [{"functionCall": {"name": {}}}, {"functionResponse": {"name": ["a"]}}]}]},
        [],
        1,
    ],
)
def test_numbering_calls_takes_any_document(body: Json) -> None:
    before = copy.deepcopy(body)
    take_out(body, google.COUNT_TOKENS)
    assert body == before


def test_a_stream_that_google_gives_up_is_not_kept_though_each_text_had_a_reason() -> None:
    said = b'data: {"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]}\r\n\r\n'
    listener, reader = google.GenerateListener(), SseReader()
    for event in [
        *reader.feed(said * 2 + b'{\r\n  "error": {\r\n    "code": 499\r\n  }\r\n}\r\n'),
        *reader.close(),
    ]:
        listener.hear(event)
    assert listener.verdict(clean_end=True) is Reason.ERROR
