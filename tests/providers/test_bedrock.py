import copy
from typing import Any

import pytest

from mitmcache.cache.prune import prune as take_out
from mitmcache.providers import bedrock
from mitmcache.providers.base import Json
from mitmcache.reasons import Reason
from mitmcache.wire.events import Event
from providers.hearing import Heard, chunk, play

REPLIES: list[tuple[Json, Reason | None]] = [
    ({"stopReason": "end_turn"}, None),
    ({"stopReason": "max_tokens"}, None),
    ({"stopReason": "tool_use"}, None),
    ({"stopReason": "guardrail_intervened"}, Reason.CONTENT_FILTER),
    ({"stopReason": "content_filtered"}, Reason.CONTENT_FILTER),
    ({"stopReason": "malformed_model_output"}, Reason.INCOMPLETE),
    ({"stopReason": "malformed_tool_use"}, Reason.TOOL_ARGUMENTS),
    ({"message": "Too many requests"}, Reason.INCOMPLETE),
    ({"error": {"message": "x"}}, Reason.ERROR),
    ([], Reason.INCOMPLETE),
]


@pytest.mark.parametrize(("document", "verdict"), REPLIES)
def test_converse_is_kept_when_it_stopped(document: Json, verdict: Reason | None) -> None:
    assert bedrock.judge(document) is verdict


def delta(index: int, piece: str) -> tuple[str, Any]:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": {"toolUse": {"input": piece}}}


STOP = ("messageStop", {"stopReason": "end_turn", "p": "abc"})
BLOCKED = ("messageStop", {"stopReason": "guardrail_intervened"})
METADATA = ("metadata", {"usage": {"inputTokens": 1}})
THROTTLED = Event("throttlingException", b'{"message": "slow down"}', error=True)
CONVERSED: dict[str, tuple[list[Heard], Reason | None]] = {
    "stopped, then metadata": ([("messageStart", {"role": "assistant"}), STOP, METADATA], None),
    "stopped, no metadata": ([STOP], Reason.INCOMPLETE),
    "metadata without a stop": ([METADATA], Reason.INCOMPLETE),
    "metadata before the stop": ([METADATA, STOP], Reason.INCOMPLETE),
    "an exception": ([THROTTLED, STOP, METADATA], Reason.ERROR),
    "a guardrail": ([BLOCKED, METADATA], Reason.CONTENT_FILTER),
    "a tool's input": ([delta(1, '{"a"'), delta(1, ":1}"), STOP, METADATA], None),
    "a tool's input cut": ([delta(1, '{"a"'), STOP, METADATA], Reason.TOOL_ARGUMENTS),
}


@pytest.mark.parametrize(("events", "verdict"), CONVERSED.values(), ids=CONVERSED)
def test_a_converse_stream_is_kept_when_metadata_came(events: list[Heard], verdict: Reason | None) -> None:
    assert play(bedrock.CONVERSE, *events) is verdict
    assert play(bedrock.CONVERSE, *events, clean_end=False) is verdict


METRICS = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 1}}
PIECE = {"type": "content_block_delta", "index": 0, "delta": {"partial_json": "{"}}
FILTERED = {"choices": [{"index": 0, "delta": {}, "finish_reason": "content_filter"}]}
INTERVENED = {"amazon-bedrock-guardrailAction": "INTERVENED"}
PASSED = {"amazon-bedrock-guardrailAction": "NONE"}
INVOKED: dict[str, tuple[list[Heard], Reason | None]] = {
    "claude": ([chunk({"type": "message_start"}), chunk({"type": "message_stop", **METRICS})], None),
    "titan": ([chunk({"outputText": "a", **METRICS})], None),
    "nova": ([chunk({"messageStart": {}}), chunk({"metadata": {"usage": {}}, **METRICS})], None),
    "gpt-oss": ([chunk({"choices": [{"index": 0, "delta": {"content": "a"}, **METRICS}], **METRICS})], None),
    "the first claudes": ([chunk({"completion": "a"}), chunk({"stop_reason": "stop_sequence"})], None),
    "cut": ([chunk({"outputText": "a"})], Reason.INCOMPLETE),
    "an exception": ([chunk({"outputText": "a"}), THROTTLED], Reason.ERROR),
    "claude's refusal": (
        [chunk({"type": "message_delta", "delta": {"stop_reason": "refusal"}}), chunk(METRICS)],
        Reason.CONTENT_FILTER,
    ),
    "claude's broken input": (
        [chunk(PIECE), chunk({"type": "message_stop", **METRICS})],
        Reason.TOOL_ARGUMENTS,
    ),
    "a filtered choice": ([chunk(FILTERED), chunk(METRICS)], Reason.CONTENT_FILTER),
    "a guardrail": ([chunk({"type": "message_stop", **INTERVENED})], Reason.CONTENT_FILTER),
    "a guardrail that let it pass": ([chunk({"outputText": "a", **PASSED, **METRICS})], None),
    "an error inside": ([chunk({"type": "error"}), chunk(METRICS)], Reason.ERROR),
    "no base64": ([("chunk", {"bytes": "%"}), chunk(METRICS)], Reason.NOT_JSON),
    "base64 with a stranger in it": ([("chunk", {"bytes": "%e30="}), chunk(METRICS)], Reason.NOT_JSON),
    "no JSON inside": ([("chunk", {"bytes": "aGk="}), chunk(METRICS)], Reason.NOT_JSON),
}


@pytest.mark.parametrize(("events", "verdict"), INVOKED.values(), ids=INVOKED)
def test_an_invoke_stream_is_kept_when_metrics_came(events: list[Heard], verdict: Reason | None) -> None:
    assert play(bedrock.INVOKE, *events) is verdict


def test_without_metrics_the_end_must_be_clean() -> None:
    assert play(bedrock.INVOKE, chunk({"stop_reason": "stop"}), clean_end=False) is Reason.INCOMPLETE
    assert play(bedrock.INVOKE, chunk(METRICS), clean_end=False) is None


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        ({"results": [{"outputText": "a"}]}, None),
        ([0.5], None),
        ({"type": "message", "stop_reason": "end_turn"}, None),
        ({"type": "message", "stop_reason": "refusal"}, Reason.CONTENT_FILTER),
        ({"choices": [{"finish_reason": "content_filter"}]}, Reason.CONTENT_FILTER),
        ({"type": "message", "stop_reason": "end_turn", **INTERVENED}, Reason.CONTENT_FILTER),
        ({"generation": "no", **INTERVENED}, Reason.CONTENT_FILTER),
        ({"generation": "a", **PASSED}, None),
        ({"message": {"role": "assistant"}}, None),
        ({"message": "The provided model identifier is invalid."}, Reason.ERROR),
        ({"error": "x"}, Reason.ERROR),
    ],
)
def test_an_invoke_reply_is_judged_by_the_models_protocol(document: Json, verdict: Reason | None) -> None:
    assert bedrock.INVOKE.judge(document) is verdict


POINT = {"cachePoint": {"type": "default"}}


def test_cache_points_go_and_all_else_stays() -> None:
    text = {"text": "a"}
    tool = {"toolSpec": {"name": "cachePoint", "inputSchema": {"json": POINT}}}
    used = {"toolUse": {"input": {"content": [POINT]}}}
    body = {
        "system": [text, POINT],
        "messages": [{"role": "user", "content": [POINT, text, used, {**POINT, "text": "b"}]}],
        "toolConfig": {"tools": [tool, POINT]},
        "requestMetadata": {"a": "b"},
        "serviceTier": {"type": "flex"},
    }
    take_out(body, bedrock.CONVERSE)
    assert body == {
        "system": [text],
        "messages": [{"role": "user", "content": [text, used, {**POINT, "text": "b"}]}],
        "toolConfig": {"tools": [tool]},
        "serviceTier": {"type": "flex"},
    }


def test_a_claudes_body_loses_what_anthropics_would_and_anothers_nothing() -> None:
    billing = {"type": "text", "text": "x-anthropic-billing-header: cch=1;"}
    body: Json = {"system": [billing], "metadata": {"user_id": "u"}}
    other = copy.deepcopy(body)
    body["anthropic_version"] = "bedrock-2023-05-31"
    take_out(body, bedrock.INVOKE)
    assert body == {"system": [], "anthropic_version": "bedrock-2023-05-31"}
    before = copy.deepcopy(other)
    take_out(other, bedrock.INVOKE)
    assert other == before


ARN = "arn:aws:bedrock:us-east-1:1:inference-profile/us.claude"


@pytest.mark.parametrize(
    ("path", "model", "stream"),
    [
        ("/model/us.claude-v1:0/converse", "us.claude-v1:0", False),
        (f"/model/{ARN}/converse-stream", ARN, True),
        (f"/model/{ARN}/invoke-with-response-stream", ARN, True),
        ("/model/x/invoke", "x", False),
    ],
)
def test_the_path_tells_the_model_and_the_stream(path: str, model: str, stream: bool) -> None:
    assert bedrock.CONVERSE.model(path, {}) == model
    assert bedrock.CONVERSE.streams(path, {}) is stream


def test_counting_tokens_needs_a_count() -> None:
    assert bedrock.COUNT_TOKENS.judge({"inputTokens": 3}) is None
    assert bedrock.COUNT_TOKENS.judge({}) is Reason.EMPTY
