import pytest

from mitmcache.providers.base import Json
from mitmcache.providers.huggingface import HUGGINGFACE, TASK
from mitmcache.reasons import Reason
from providers.hearing import Heard, play


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        ([{"score": 0.5}], None),
        ([[0.5]], None),
        ({"generated_text": "a"}, None),
        ({"error": "Model is loading", "estimated_time": 20}, Reason.ERROR),
    ],
)
def test_a_reply_is_kept_unless_an_error(document: Json, verdict: Reason | None) -> None:
    assert TASK.judge(document) is verdict


STREAMS: dict[str, tuple[list[Heard], Reason | None]] = {
    "text": ([{"token": {}, "generated_text": None}, {"token": {}, "generated_text": "a"}], None),
    "details": ([{"details": {"finish_reason": "length"}}], None),
    "cut": ([{"token": {}, "generated_text": None, "details": None}], Reason.INCOMPLETE),
    "an error": ([{"error": "x"}, {"generated_text": "a"}], Reason.ERROR),
}


@pytest.mark.parametrize(("events", "verdict"), STREAMS.values(), ids=STREAMS)
def test_a_stream_is_kept_when_the_whole_text_came(events: list[Heard], verdict: Reason | None) -> None:
    assert play(TASK, *events) is verdict


def test_a_caller_who_wants_no_cache_gets_none() -> None:
    assert TASK.refuse({"options": {"use_cache": False}}) is Reason.USE_CACHE
    assert TASK.refuse({"options": {"use_cache": True}}) is None
    assert TASK.refuse(["x"]) is None


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/models/gpt2", "gpt2"),
        ("/hf-inference/models/org/name", "org/name"),
        ("/hf-inference/models/org/name/pipeline/feature-extraction", "org/name"),
        ("/pipeline/fill-mask/bert-base-uncased", "bert-base-uncased"),
        ("/", ""),
    ],
)
def test_the_path_tells_the_model(path: str, model: str) -> None:
    assert TASK.model(path, {"inputs": "a"}) == model


def test_streams_of_the_router_may_lack_done() -> None:
    assert HUGGINGFACE.done_optional
