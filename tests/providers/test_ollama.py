import pytest

from mitmcache.providers import ollama
from mitmcache.providers.base import Json
from mitmcache.reasons import Reason
from providers.hearing import play


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ({"messages": [{"role": "user"}]}, None),
        ({"prompt": "hi"}, None),
        ({"model": "m"}, Reason.MODEL_LOAD),
        ({"model": "m", "messages": []}, Reason.MODEL_LOAD),
        ({"model": "m", "prompt": "", "keep_alive": 0}, Reason.MODEL_LOAD),
        ({"prompt": "hi", "context": [1, 2]}, Reason.CONTEXT),
        ({"prompt": "hi", "context": []}, None),
        (None, Reason.MODEL_LOAD),
    ],
)
def test_loading_a_model_and_state_are_refused(body: Json, verdict: Reason | None) -> None:
    assert ollama.refuse(body) is verdict


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        ({"done": True}, None),
        ({"done": False}, Reason.INCOMPLETE),
        ({}, Reason.INCOMPLETE),
        ({"error": "x", "done": True}, Reason.ERROR),
        ([], Reason.INCOMPLETE),
    ],
)
def test_a_reply_or_a_streams_last_line_is_done(document: Json, verdict: Reason | None) -> None:
    assert ollama.judge(document) is verdict
    assert play(ollama.CHAT, {"done": False}, document, clean_end=False) is verdict


def test_a_stream_is_what_comes_unless_the_caller_says_no() -> None:
    assert ollama.CHAT.streams("/api/chat", {})
    assert ollama.CHAT.streams("/api/chat", {"stream": True})
    assert not ollama.CHAT.streams("/api/chat", {"stream": False})


def test_embeddings_of_both_endpoints_are_kept() -> None:
    assert ollama.EMBED.judge({"embeddings": [[0.5]]}) is None
    assert ollama.EMBED.judge({"embedding": [0.5]}) is None
    assert ollama.EMBED.judge({"embeddings": []}) is Reason.EMPTY
