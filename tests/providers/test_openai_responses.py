import copy
from typing import Any

import pytest

from mitmcache.providers.base import Json
from mitmcache.providers.codex import INTERNAL
from mitmcache.providers.openai_responses import INPUT_TOKENS, RESPONSES, judge, prune, refuse
from mitmcache.reasons import Reason
from providers.hearing import DONE, Heard, play

MESSAGE = {"type": "message", "content": [{"type": "output_text", "text": "hi"}]}


def call(arguments: Json) -> Json:
    return {"type": "function_call", "call_id": "c", "name": "f", "arguments": arguments}


def response(status: Json = "completed", *output: Json, **more: Any) -> Json:
    return {"object": "response", "status": status, "error": None, "output": list(output), **more}


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        (response("completed", MESSAGE), None),
        (response("completed", call('{"a": 1}')), None),
        (response("completed", call("")), None),
        (response("completed", {"type": "custom_tool_call", "input": "free { text"}), None),
        (response(None, MESSAGE), None),
        ({"output": [MESSAGE]}, None),
        (response(None), Reason.INCOMPLETE),
        (response("completed", MESSAGE, call("{")), Reason.TOOL_ARGUMENTS),
        (response("incomplete", MESSAGE), Reason.INCOMPLETE),
        (
            response("incomplete", incomplete_details={"reason": "content_filter"}),
            Reason.CONTENT_FILTER,
        ),
        (response("failed"), Reason.ERROR),
        (response("failed", error={"code": "server_error"}), Reason.ERROR),
        (response("completed", MESSAGE, error={"code": "x"}), Reason.ERROR),
        (response("queued"), Reason.INCOMPLETE),
        (response("in_progress", MESSAGE), Reason.INCOMPLETE),
        (response("cancelled", MESSAGE), Reason.INCOMPLETE),
        ([], Reason.INCOMPLETE),
        ("", Reason.INCOMPLETE),
    ],
)
def test_only_a_completed_response_is_kept(document: Json, verdict: Reason | None) -> None:
    assert judge(document) is verdict


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ({}, None),
        ({"store": False}, None),
        ({"previous_response_id": "resp_1"}, None),
        ({"conversation": None, "background": False}, None),
        ({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}, None),
        ({"tools": "x"}, None),
        ({"store": True}, Reason.STORE),
        ({"conversation": "conv_1"}, Reason.CONVERSATION),
        ({"conversation": {"id": "conv_1"}}, Reason.CONVERSATION),
        ({"background": True}, Reason.BACKGROUND),
        ({"prewarm": True}, Reason.BACKGROUND),
        ({"tools": [{}, {"type": "code_interpreter", "container": "cntr_1"}]}, Reason.CONTAINER),
        (
            {"tools": [{"environment": {"type": "container_reference", "container_id": "c"}}]},
            Reason.CONTAINER,
        ),
        ([1], None),
    ],
)
def test_a_request_that_leans_on_what_changes_is_refused(body: Json, verdict: Reason | None) -> None:
    assert refuse(body) is verdict
    assert INPUT_TOKENS.refuse(body) is verdict


def test_items_of_the_input_lose_what_a_client_notes_on_them() -> None:
    body = {"input": [{"type": "message", "id": "m1", INTERNAL: {"t": 1}}, "text", {"type": "x", "id": "x"}]}
    prune(body)
    assert body["input"] == [{"type": "message"}, "text", {"type": "x", "id": "x"}]


@pytest.mark.parametrize("body", [{}, {"input": "hello"}, {"input": {"id": 1}}, [], None])
def test_other_bodies_are_left_as_they_are(body: Json) -> None:
    before = copy.deepcopy(body)
    prune(body)
    assert body == before


def told(kind: str, **more: Any) -> Json:
    return {"type": kind, **more}


COMPLETED = told("response.completed", response=response("completed", MESSAGE))
ITEM = "response.output_item.done"
EMPTY = told("response.completed", response=response("completed"))
STREAMS: dict[str, tuple[list[Heard], Reason | None]] = {
    "completed": ([told("response.created", response=response("in_progress")), COMPLETED], None),
    "a gateway's [DONE] after it": ([COMPLETED, DONE], None),
    "the type as event name alone": ([("response.completed", {"response": response()})], None),
    "a response with neither status nor output": ([told("response.completed", response={"id": "r"})], None),
    "no end": ([told("response.output_text.delta", delta="x")], Reason.INCOMPLETE),
    "[DONE] is no end": ([told("response.output_text.delta", delta="x"), DONE], Reason.INCOMPLETE),
    "incomplete": ([told("response.incomplete", response=response("incomplete"))], Reason.INCOMPLETE),
    "filtered": (
        [told("response.incomplete", response={"incomplete_details": {"reason": "content_filter"}})],
        Reason.CONTENT_FILTER,
    ),
    "failed": ([told("response.failed", response=response("failed"))], Reason.ERROR),
    "an error": ([told("error", code="x"), COMPLETED], Reason.ERROR),
    "cancelled": ([told("response.cancelled")], Reason.INCOMPLETE),
    "completed that is not": ([told("response.completed", response=response("failed"))], Reason.ERROR),
    "a whole call": ([told("response.completed", response=response("completed", call("{}")))], None),
    "a broken call": (
        [told("response.completed", response=response("completed", call("{")))],
        Reason.TOOL_ARGUMENTS,
    ),
    "an empty output: the items count": ([told(ITEM, item=call("{")), EMPTY], Reason.TOOL_ARGUMENTS),
    "an empty output after whole items": ([told(ITEM, item=call("{}")), EMPTY], None),
}


@pytest.mark.parametrize(("events", "verdict"), STREAMS.values(), ids=STREAMS)
def test_a_stream_is_kept_when_completed(events: list[Heard], verdict: Reason | None) -> None:
    assert play(RESPONSES, *events) is verdict
    assert play(RESPONSES, *events, clean_end=False) is verdict


def test_counting_tokens_needs_a_count() -> None:
    assert INPUT_TOKENS.judge({"object": "response.input_tokens", "input_tokens": 0}) is None
    assert INPUT_TOKENS.judge({}) is Reason.EMPTY
