import copy
from typing import Any

import pytest

from mitmcache.cache.prune import prune as take_out
from mitmcache.providers.anthropic import COMPLETE, COUNT_TOKENS, MESSAGES, judge, refuse
from mitmcache.providers.base import Json
from mitmcache.reasons import Reason
from providers.hearing import Heard, play

MARK = {"cache_control": {"type": "ephemeral"}}


def reply(reason: Json, **more: Any) -> Json:
    return {"type": "message", "stop_reason": reason, "content": [], **more}


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        (reply("end_turn"), None),
        (reply("max_tokens"), None),
        (reply("tool_use"), None),
        (reply("pause_turn"), None),
        (reply("refusal"), Reason.CONTENT_FILTER),
        (reply(None), Reason.INCOMPLETE),
        ({"stop_reason": "end_turn"}, Reason.INCOMPLETE),
        ({"type": "error", "error": {"type": "overloaded_error"}}, Reason.ERROR),
        ([], Reason.INCOMPLETE),
        (None, Reason.INCOMPLETE),
    ],
)
def test_a_message_is_kept_when_it_stopped(document: Json, verdict: Reason | None) -> None:
    assert judge(document) is verdict


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ({}, None),
        ({"container": None, "thread": None}, None),
        ({"container": "container_1"}, Reason.CONTAINER),
        ({"thread": {"id": "t"}}, Reason.CONTAINER),
        ("x", None),
    ],
)
def test_containers_and_threads_are_refused(body: Json, verdict: Reason | None) -> None:
    assert refuse(body) is verdict


def test_cache_marks_go_wherever_the_api_takes_them() -> None:
    document = {"type": "document", "source": {"type": "content", "content": [{"text": "a", **MARK}]}, **MARK}
    result = {"type": "search_result", "content": [{"text": "b", **MARK}], **MARK}
    fetched = {"type": "web_fetch_result", "content": {"type": "document", **MARK}}
    body = {
        **MARK,
        "system": [{"type": "text", "text": "s", **MARK}],
        "tools": [{"name": "t", "input_schema": {}, **MARK}],
        "messages": [
            {"role": "user", "content": "plain"},
            {"role": "user", "content": [{"type": "text", "text": "x", **MARK}, document, result]},
            {"role": "user", "content": [{"type": "tool_result", "content": [document, result], **MARK}]},
            {"role": "assistant", "content": [{"type": "web_fetch_tool_result", "content": fetched, **MARK}]},
        ],
    }
    body = copy.deepcopy(body)
    take_out(body, MESSAGES)
    assert "cache_control" not in str(body)


def test_a_cache_control_of_the_callers_own_counts() -> None:
    """A tool may have an argument of that name: in its schema and in its input it is the caller's."""
    body = {
        "tools": [{"name": "t", "input_schema": {"properties": MARK}}],
        "messages": [
            {"role": "assistant", "content": [{"type": "tool_use", "name": "t", "input": {**MARK}}]},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "name": "t", "input": {"content": [MARK]}}],
            },
        ],
    }
    before = copy.deepcopy(body)
    take_out(body, MESSAGES)
    assert body == before


def test_the_billing_block_goes_and_the_rest_of_the_prompt_stays() -> None:
    billing = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2; cch=36ee5;"}
    prompt = {"type": "text", "text": "About the x-anthropic-billing-header: it is a header."}
    body = {"system": [billing, prompt], "metadata": {"user_id": "u"}, "max_tokens": 1}
    take_out(body, MESSAGES)
    assert body == {"system": [prompt], "max_tokens": 1}
    body = {"system": [prompt, billing]}
    take_out(body, COUNT_TOKENS)
    assert body == {"system": [prompt]}


@pytest.mark.parametrize("system", ["x-anthropic-billing-header: as plain text", None, {"text": "x"}, [1]])
def test_a_prompt_of_another_form_is_left_alone(system: Json) -> None:
    body = {"system": copy.deepcopy(system)}
    take_out(body, MESSAGES)
    assert body == {"system": system}


def delta(index: int, piece: str) -> Json:
    return {
        "type": "content_block_delta",
        "index": index,
        "delta": {"type": "input_json_delta", "partial_json": piece},
    }


STOPPED = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
REFUSED = {"type": "message_delta", "delta": {"stop_reason": "refusal"}}
STOP = {"type": "message_stop"}
STREAMS: dict[str, tuple[list[Heard], Reason | None]] = {
    "stopped": ([{"type": "message_start"}, ("ping", {"type": "ping"}), STOPPED, STOP], None),
    "the type as event name alone": ([("message_stop", {})], None),
    "cut before the end": ([STOPPED], Reason.INCOMPLETE),
    "refused": ([REFUSED, STOP], Reason.CONTENT_FILTER),
    "overloaded": ([("error", {"type": "error", "error": {"type": "overloaded_error"}})], Reason.ERROR),
    "an error without an event name": ([{"type": "error"}, STOP], Reason.ERROR),
    "a tool's input in pieces": (
        [delta(1, '{"a"'), delta(2, "{"), delta(1, ":1}"), delta(2, "}"), STOP],
        None,
    ),
    "a tool without input": ([delta(1, ""), STOP], None),
    "a tool's input cut": ([delta(1, '{"a"'), STOP], Reason.TOOL_ARGUMENTS),
}


@pytest.mark.parametrize(("events", "verdict"), STREAMS.values(), ids=STREAMS)
def test_a_stream_is_kept_when_it_stopped(events: list[Heard], verdict: Reason | None) -> None:
    assert play(MESSAGES, *events) is verdict
    assert play(MESSAGES, *events, clean_end=False) is verdict


def test_legacy_completions_end_with_a_stop_reason() -> None:
    running = ("completion", {"completion": "a", "stop_reason": None})
    stopped = ("completion", {"completion": "", "stop_reason": "stop_sequence"})
    assert play(COMPLETE, running, stopped, clean_end=False) is None
    assert play(COMPLETE, running) is Reason.INCOMPLETE
    assert COMPLETE.judge({"completion": "a", "stop_reason": "max_tokens"}) is None
    assert COMPLETE.judge({"completion": "a"}) is Reason.INCOMPLETE


def test_counting_tokens_needs_a_count() -> None:
    assert COUNT_TOKENS.judge({"input_tokens": 3}) is None
    assert COUNT_TOKENS.judge({}) is Reason.EMPTY


VERTEX = "/v1/projects/p/locations/l/publishers/anthropic/models/"


@pytest.mark.parametrize(
    ("path", "body", "model"),
    [
        ("/v1/messages", {"model": "claude"}, "claude"),
        (VERTEX + "claude-4@20250101:streamRawPredict", {}, "claude-4@20250101"),
        (VERTEX + "count-tokens:rawPredict", {"model": "claude"}, "claude"),
    ],
)
def test_the_model_is_in_the_body_or_in_vertexs_path(path: str, body: Json, model: str) -> None:
    assert MESSAGES.model(path, body) == model


def test_a_stream_is_asked_for_by_vertexs_path() -> None:
    assert MESSAGES.streams(VERTEX + "claude:streamRawPredict", {})
    assert not MESSAGES.streams(VERTEX + "claude:rawPredict", {})
