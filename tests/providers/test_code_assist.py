import json
from typing import Any

import pytest

from mitmcache.cache.prune import prune as take_out
from mitmcache.providers.base import Json
from mitmcache.providers.code_assist import GENERATE
from mitmcache.reading.documents import documents
from mitmcache.reading.transcript import of_request
from mitmcache.reading.usage import usage
from mitmcache.reasons import Reason
from providers.hearing import Heard, play


def said(text: str, reason: str | None = None, **more: Any) -> dict[str, Json]:
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}}
    if reason:
        candidate["finishReason"] = reason  # type: ignore[assignment]
    return {"response": {"candidates": [candidate], **more}, "traceId": "t"}


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        (said("a", "STOP"), None),
        (said("a"), Reason.INCOMPLETE),
        (said("a", "SAFETY"), Reason.CONTENT_FILTER),
        ({"error": {"code": 429}}, Reason.ERROR),
        ({"response": {"error": {"code": 429}}}, Reason.ERROR),
        ({"traceId": "t"}, Reason.INCOMPLETE),
        ([], Reason.INCOMPLETE),
    ],
)
def test_the_answer_is_inside(document: Json, verdict: Reason | None) -> None:
    assert GENERATE.judge(document) is verdict


@pytest.mark.parametrize(
    ("events", "verdict"),
    [
        ([said("a"), said("b", "STOP")], None),
        ([said("a"), {"traceId": "t"}, said("b", "STOP"), {"remainingCredits": []}], None),
        ([said("a"), said("b")], Reason.INCOMPLETE),
        ([said("a", "STOP"), {"error": {"code": 503}}], Reason.ERROR),
    ],
)
def test_a_stream_is_kept_when_what_is_inside_finished(events: list[Heard], verdict: Reason | None) -> None:
    assert play(GENERATE, *events) is verdict


def asked(**changed: Json) -> Json:
    """One turn of the CLI's: what it makes up anew is in three places."""
    call = {"name": "f", "id": changed.pop("call", "c1")}
    request = {
        "contents": [{"parts": [{"functionCall": call}]}, {"parts": [{"functionResponse": call}]}],
        "session_id": changed.pop("session", "s1"),
    }
    body: Json = {"model": "gemini", "project": "p", "user_prompt_id": "s1########0", "request": request}
    body.update(changed)
    take_out(body, GENERATE)
    return body


def test_what_the_cli_makes_up_does_not_count() -> None:
    assert asked() == asked(call="c2") == asked(session="s2") == asked(user_prompt_id="s2########0")
    assert asked() != asked(model="other")
    assert asked() != asked(project="other")


def test_model_and_stream_are_told() -> None:
    assert GENERATE.model("/v1internal:streamGenerateContent", {"model": "gemini"}) == "gemini"
    assert GENERATE.streams("/v1internal:streamGenerateContent", {})
    assert not GENERATE.streams("/v1internal:generateContent", {})


def test_it_is_read_as_gemini_is() -> None:
    last = said("b", "STOP", usageMetadata={"promptTokenCount": 3, "candidatesTokenCount": 2})
    body = b"".join(b"data: " + json.dumps(each).encode() + b"\r\n\r\n" for each in (said("a"), last))
    headers = (("content-type", "text/event-stream"),)
    assert [dict(each)["candidates"] for _, each in documents(GENERATE.name, headers, body)[0]] == [
        each["response"]["candidates"] for each in (said("a"), last)
    ]
    found = usage(GENERATE.name, headers, body)
    assert found
    assert (found.input_tokens, found.output_tokens) == (3, 2)


def test_what_was_asked_is_read() -> None:
    body = json.dumps({"model": "m", "request": {"contents": [{"role": "user", "parts": [{"text": "why"}]}]}})
    assert "why" in str(of_request(GENERATE.name, (("content-type", "application/json"),), body.encode()))
