import gzip
from typing import Any

import orjson
import pytest

from mitmcache.logs.bodies import LONGEST, Body, Said, line

NOTHING = Body(b"", "", "")


def said(question: Body = NOTHING, answer: Body | None = None, **changes: Any) -> Said:
    facts: dict[str, Any] = {
        "at": 1_000_000.5,
        "id": "the-id",
        "provider": "openai",
        "dialect": "openai.chat",
        "model": "gpt-4o",
        "word": "MISS",
        "status": 200,
    }
    return Said(**{**facts, **changes}, question=question, answer=answer)


def told(body: Body) -> dict[str, Any]:
    return dict(orjson.loads(line(said(body)))["request"])


def test_a_line_has_the_words_of_the_log_and_both_bodies() -> None:
    whole = said(Body(b'{"a": 1}', "application/json", ""), Body(b"data: x\n\n", "text/event-stream", ""))
    assert orjson.loads(line(whole)) == {
        "timestamp": "1970-01-12T13:46:40.500000Z",
        "id": "the-id",
        "provider": "openai",
        "dialect": "openai.chat",
        "model": "gpt-4o",
        "word": "MISS",
        "status": 200,
        "request": {"content_type": "application/json", "size": 8, "body": {"a": 1}},
        "response": {"content_type": "text/event-stream", "size": 9, "body": "data: x\n\n"},
    }


def test_what_did_not_come_is_null() -> None:
    found = orjson.loads(line(said(status=0)))
    assert found["status"] is None and found["response"] is None


TEXT = "é" * LONGEST
BODIES = [
    ("JSON on several lines", Body(b'{\n"a":\n1}', "", ""), {"body": {"a": 1}}),
    ("JSON, compressed", Body(gzip.compress(b'{"a":1}'), "", "gzip"), {"body": {"a": 1}}),
    ("not quite JSON", Body(b'{"a":NaN}', "", ""), {"body": '{"a":NaN}'}),
    ("nested too deeply", Body(b"[" * 600 + b"]" * 600, "", ""), {"body": "[" * 600 + "]" * 600}),
    ("binary", Body(b"\xff\xfe\x00", "audio/mpeg", ""), {"binary": True}),
    ("nothing", NOTHING, {"body": ""}),
    ("too long", Body(b"a" * (LONGEST + 1), "", ""), {"body": "a" * LONGEST, "truncated": True}),
    ("too long, cut in a character", Body(b"x" + TEXT.encode(), "", ""), {"truncated": True}),
    (
        "too long, compressed",
        Body(gzip.compress(b"a" * 40 * LONGEST), "", "gzip"),
        {"body": "a" * LONGEST, "truncated": True},
    ),
    ("cut, compressed", Body(gzip.compress(b'{"a":1}')[:-9], "", "gzip"), {"truncated": True}),
    ("an unknown coding", Body(b"abc", "", "sdch"), {"body": "", "truncated": True}),
]


@pytest.mark.parametrize(("body", "expected"), [pytest.param(*case[1:], id=case[0]) for case in BODIES])
def test_a_body_is_told_as_what_it_is_and_no_longer_than_may_be(body: Body, expected: dict[str, Any]) -> None:
    found = told(body)
    assert {name: found.get(name) for name in expected} == expected
    assert ("truncated" in found, "binary" in found) == ("truncated" in expected, "binary" in expected)
    assert len(found.get("body", "")) <= LONGEST


def test_no_body_ends_a_line_or_steers_a_terminal() -> None:
    text = "a\r\n\x1b[2J\x9b2J\u2028\u202e\x7f\ufeff\u2066"
    for body in (text.encode(), orjson.dumps({"a": text})):
        packed = line(said(Body(body, text, ""), model=text))
        assert packed[:-1].decode().isprintable()
        found = orjson.loads(packed)["request"]["body"]
        assert found in (text, {"a": text})


def test_the_size_is_what_is_held() -> None:
    assert said(Body(b"a" * 5000, "", ""), Body(b"b" * 3000, "", "")).size >= 8000
