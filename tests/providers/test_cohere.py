import pytest

from mitmcache.providers import cohere
from mitmcache.providers.base import Json
from mitmcache.reasons import Reason
from providers.hearing import DONE, Heard, play


def called(arguments: str) -> Json:
    return {
        "finish_reason": "TOOL_CALL",
        "message": {"tool_calls": [{"function": {"name": "f", "arguments": arguments}}]},
    }


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        ({"finish_reason": "COMPLETE"}, None),
        ({"finish_reason": "MAX_TOKENS"}, None),
        ({"finish_reason": "ERROR"}, Reason.ERROR),
        ({"finish_reason": "ERROR_LIMIT"}, Reason.ERROR),
        ({"finish_reason": "TIMEOUT"}, Reason.ERROR),
        ({"finish_reason": "USER_CANCEL"}, Reason.ERROR),
        ({"finish_reason": "ERROR_TOXIC"}, Reason.CONTENT_FILTER),
        ({"message": {}}, Reason.INCOMPLETE),
        (called("{}"), None),
        (called("{"), Reason.TOOL_ARGUMENTS),
        ([], Reason.INCOMPLETE),
    ],
)
def test_a_v2_reply_is_kept_when_it_finished(document: Json, verdict: Reason | None) -> None:
    assert cohere.judge_v2(document) is verdict


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        ({"text": "a", "finish_reason": "COMPLETE"}, None),
        ({"text": "a"}, None),
        ({"text": "", "tool_calls": [{"name": "f", "parameters": {}}]}, None),
        ({"generations": [{"text": "a"}]}, None),
        ({"text": "a", "finish_reason": "ERROR"}, Reason.ERROR),
        ({"generations": [{"text": "a"}, {"finish_reason": "ERROR_TOXIC"}]}, Reason.CONTENT_FILTER),
        ({"message": "invalid request"}, Reason.EMPTY),
        (None, Reason.EMPTY),
    ],
)
def test_a_v1_reply_is_kept_when_it_says_something(document: Json, verdict: Reason | None) -> None:
    assert cohere.judge_v1(document) is verdict


def test_a_conversation_on_the_server_is_refused() -> None:
    assert cohere.V1_CHAT.refuse({"conversation_id": "c"}) is Reason.CONVERSATION
    assert cohere.V1_CHAT.refuse({"message": "hi"}) is None


def end(**delta: Json) -> Json:
    return {"type": "message-end", "delta": delta}


def piece(index: int, arguments: str) -> Json:
    delta = {"message": {"tool_calls": {"function": {"arguments": arguments}}}}
    return {"type": "tool-call-delta", "index": index, "delta": delta}


OK = end(finish_reason="COMPLETE")
V2: dict[str, tuple[list[Heard], Reason | None]] = {
    "ended": ([{"type": "content-delta"}, OK, DONE], None),
    "cut": ([{"type": "content-delta"}, DONE], Reason.INCOMPLETE),
    "ended with an error": ([end(finish_reason="ERROR")], Reason.ERROR),
    "ended with an error's text": ([end(error="x", finish_reason="COMPLETE")], Reason.ERROR),
    "a call in pieces": ([piece(0, '{"a"'), piece(1, "{}"), piece(0, ":1}"), OK], None),
    "a call cut": ([piece(0, '{"a"'), OK], Reason.TOOL_ARGUMENTS),
}


@pytest.mark.parametrize(("events", "verdict"), V2.values(), ids=V2)
def test_a_v2_stream_is_kept_when_its_end_came(events: list[Heard], verdict: Reason | None) -> None:
    assert play(cohere.V2_CHAT, *events) is verdict
    assert play(cohere.V2_CHAT, *events, clean_end=False) is verdict


def test_a_v1_stream_is_kept_when_finished() -> None:
    text: Json = {"event_type": "text-generation", "text": "a", "is_finished": False}
    last: Json = {"event_type": "stream-end", "is_finished": True, "finish_reason": "COMPLETE"}
    assert play(cohere.V1_CHAT, text, last, clean_end=False) is None
    assert play(cohere.V1_CHAT, text, {"is_finished": True}, clean_end=False) is None
    assert play(cohere.V1_CHAT, text) is Reason.INCOMPLETE
    assert play(cohere.V1_CHAT, {**last, "finish_reason": "ERROR"}) is Reason.ERROR


def test_embeddings_may_be_a_list_or_by_type() -> None:
    assert cohere.EMBED.judge({"embeddings": [[0.5]]}) is None
    assert cohere.EMBED.judge({"embeddings": {"float": [[0.5]]}}) is None
    assert cohere.EMBED.judge({"embeddings": {}}) is Reason.EMPTY
