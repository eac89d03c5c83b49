from typing import Any

import pytest

from mitmcache.providers.base import Json, Provider
from mitmcache.providers.openai_chat import CHAT, judge, refuse
from mitmcache.reasons import Reason
from mitmcache.wire.events import Event
from providers.hearing import DONE, LENIENT, STRICT, Heard, play


def reply(reason: Json = "stop", **message: Any) -> Json:
    return {"choices": [{"index": 0, "finish_reason": reason, "message": {"role": "assistant", **message}}]}


def call(arguments: Json) -> Json:
    return [{"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}]


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        (reply(content="hi"), None),
        (reply("length"), None),
        (reply("tool_calls", tool_calls=call('{"a": 1}')), None),
        (reply("tool_calls", tool_calls=call("")), None),
        (reply("tool_calls", tool_calls=call({"a": 1})), None),
        (reply(None, content="hi"), None),
        (reply(None, tool_calls=call("{}")), None),
        (reply(None, content="", reasoning=None, refusal=None), Reason.EMPTY),
        (reply("stop", content=""), None),
        ({"choices": [{"text": "hi", "finish_reason": None}]}, None),
        ({"choices": [{"text": "", "finish_reason": None}]}, Reason.EMPTY),
        (reply("eos"), None),
        (reply("content_filter"), Reason.CONTENT_FILTER),
        (reply("content_filter: SAFETY"), Reason.CONTENT_FILTER),
        (reply("function_call_filter: MALFORMED_FUNCTION_CALL"), Reason.TOOL_ARGUMENTS),
        (reply("error"), Reason.ERROR),
        (reply("network_error"), Reason.ERROR),
        (reply("sensitive"), Reason.CONTENT_FILTER),
        (reply("abort"), Reason.INCOMPLETE),
        (reply("insufficient_system_resource"), Reason.INCOMPLETE),
        (reply("tool_calls", tool_calls=call('{"a": ')), Reason.TOOL_ARGUMENTS),
        (reply("function_call", function_call={"name": "f", "arguments": "{"}), Reason.TOOL_ARGUMENTS),
        ({"choices": [{"error": {"code": 502}, "finish_reason": "stop"}]}, Reason.ERROR),
        (
            {"choices": [{"text": "a"}, {"text": "b", "finish_reason": "content_filter"}]},
            Reason.CONTENT_FILTER,
        ),
        ({"choices": []}, Reason.EMPTY),
        ({}, Reason.EMPTY),
        ({"error": {"code": "content_filter"}}, Reason.ERROR),
        ({"error": "no", **reply()}, Reason.ERROR),
        ({"error": None, **reply()}, None),
        ([], Reason.EMPTY),
        (None, Reason.EMPTY),
    ],
)
def test_a_reply_is_kept_unless_it_is_no_answer(document: Json, verdict: Reason | None) -> None:
    assert judge(document) is verdict


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ({}, None),
        ({"store": False}, None),
        ({"store": None}, None),
        ({"store": True}, Reason.STORE),
        ({"deferred": True}, Reason.DEFERRED),
        (["store"], None),
    ],
)
def test_a_request_that_asks_for_more_than_an_answer_is_refused(body: Json, verdict: Reason | None) -> None:
    assert refuse(body) is verdict


def piece(content: str = "", reason: str | None = None, index: int | None = 0, **delta: Any) -> Json:
    number = {} if index is None else {"index": index}
    return {"choices": [{**number, "delta": {"content": content, **delta}, "finish_reason": reason}]}


def part(arguments: str, index: int | None = 0, **more: Any) -> Json:
    return piece(tool_calls=[{"index": index, "function": {"arguments": arguments}, **more}])


STOP = piece(reason="stop")
USAGE = {"choices": [], "usage": {"total_tokens": 3}}
FILTERS: Json = {"choices": [], "prompt_filter_results": [{}]}
STREAMS: dict[str, tuple[list[Heard], Provider, Reason | None]] = {
    "finished and done": ([piece("hi"), STOP, DONE], STRICT, None),
    "usage after the finish": ([piece("hi"), STOP, USAGE, DONE], STRICT, None),
    "azure's first chunk has no choice": ([FILTERS, piece("hi"), STOP, DONE], STRICT, None),
    "chunks after the finish without one": ([STOP, piece(), DONE], STRICT, None),
    "never a finish, but usage": ([piece("4"), USAGE, DONE], STRICT, None),
    "one choice of two finished, but usage": ([STOP, piece(index=1), USAGE, DONE], STRICT, None),
    "one choice of two finished": ([STOP, piece(index=1), DONE], STRICT, Reason.INCOMPLETE),
    "done after an abort": ([piece("hi"), DONE], STRICT, Reason.INCOMPLETE),
    "neither a word nor a finish, but usage": ([piece(role="assistant"), USAGE, DONE], STRICT, Reason.EMPTY),
    "thoughts alone, and usage": ([piece(reasoning="a"), USAGE, DONE], STRICT, None),
    "done and nothing else": ([DONE], STRICT, Reason.EMPTY),
    "no done": ([piece("hi"), STOP], STRICT, Reason.INCOMPLETE),
    "no done where it is optional": ([piece("hi"), STOP, USAGE], LENIENT, None),
    "no done, two choices": ([STOP, piece(reason="stop", index=1)], LENIENT, None),
    "a choice whose number is left out": ([piece("hi", index=None), STOP, DONE], STRICT, None),
    "no done, the second choice cut": ([STOP, piece(index=1)], LENIENT, Reason.INCOMPLETE),
    "no done and no finish": ([piece("hi"), USAGE], LENIENT, Reason.INCOMPLETE),
    "nothing": ([], LENIENT, Reason.INCOMPLETE),
    "filtered": ([piece("h", "content_filter"), DONE], STRICT, Reason.CONTENT_FILTER),
    "finished with an error": ([piece("h", "error"), DONE], STRICT, Reason.ERROR),
    "groq's error event": ([piece("h"), Event("error", b'{"error":{}}'), DONE], STRICT, Reason.ERROR),
    "llama.cpp's error line": ([piece("h"), Event("", b'{"code":500}', error=True)], LENIENT, Reason.ERROR),
    "an error among chunks": ([STOP, {"error": {"code": 400}, "choices": []}, DONE], STRICT, Reason.ERROR),
    "a call in pieces": ([part('{"a"'), part(":1}"), piece(reason="tool_calls"), DONE], STRICT, None),
    "a broken call": ([part('{"a"'), STOP, DONE], STRICT, Reason.TOOL_ARGUMENTS),
    "two calls": ([part('{"a"'), part("{}", 1), part(":1}"), STOP, DONE], STRICT, None),
    "whole calls without a number": (
        [part("{}", None, id="x"), part("{}", None, id="y"), STOP, DONE],
        STRICT,
        None,
    ),
    "two calls of one number": ([part('{"a":1}', id="x"), part("{}", id="y"), STOP, DONE], STRICT, None),
    "two calls of one number, in pieces": (
        [part("", id="x"), part("{"), part("}"), part("{", id="y"), part("}"), STOP, DONE],
        STRICT,
        None,
    ),
    "two calls of one number, the first broken": (
        [part("{", id="x"), part("{}", id="y"), STOP, DONE],
        STRICT,
        Reason.TOOL_ARGUMENTS,
    ),
    "two calls of one number, the second broken": (
        [part("{}", id="x"), part("{", id="y"), STOP, DONE],
        STRICT,
        Reason.TOOL_ARGUMENTS,
    ),
    "a name for every piece of a call": ([part("{", id="x"), part("}", id="y"), STOP, DONE], STRICT, None),
    "two values in one call": (
        [part("{}", id="x"), part("{}", id="x"), STOP, DONE],
        STRICT,
        Reason.TOOL_ARGUMENTS,
    ),
    "a legacy call": ([piece(function_call={"arguments": "{"}), STOP, DONE], STRICT, Reason.TOOL_ARGUMENTS),
}


@pytest.mark.parametrize(("events", "provider", "verdict"), STREAMS.values(), ids=STREAMS)
def test_a_stream_is_kept_when_whole(events: list[Heard], provider: Provider, verdict: Reason | None) -> None:
    assert play(CHAT, *events, provider=provider) is verdict


def test_after_done_the_transport_does_not_matter() -> None:
    assert play(CHAT, STOP, DONE, clean_end=False) is None


def test_where_done_is_optional_the_end_must_be_clean() -> None:
    assert play(CHAT, STOP, clean_end=False, provider=LENIENT) is Reason.INCOMPLETE


@pytest.mark.parametrize(
    ("path", "body", "model"),
    [
        ("/v1/chat/completions", {"model": "m"}, "m"),
        ("/openai/deployments/gpt-4o/chat/completions", {}, "gpt-4o"),
        ("/openai/deployments/gpt-4o/chat/completions", {"model": "m"}, "gpt-4o"),
        ("/v1/engines/ada/completions", {}, "ada"),
        ("/v1/chat/completions", {"model": 3}, ""),
        ("/v1/chat/completions", None, ""),
    ],
)
def test_the_model_is_the_deployment_or_in_the_body(path: str, body: Json, model: str) -> None:
    assert CHAT.model(path, body) == model
