import base64

import pytest

import exchanges
from exchanges import Exchange
from exchanges.base import dump, sse
from exchanges.bedrock import frame
from mitmcache.reading.documents import documents
from reading.spoilt import reply_headers

SSE = (("content-type", "text/event-stream"),)
JSON = (("content-type", "application/json; charset=UTF-8"),)
FRAMES = (("content-type", "application/vnd.amazon.eventstream"),)


@pytest.mark.parametrize("exchange", exchanges.STREAM_FORMS, ids=lambda exchange: exchange.name)
def test_a_stream_is_its_events(exchange: Exchange) -> None:
    read, streamed = documents(exchange.dialect, reply_headers(exchange), exchange.answer)
    assert streamed
    none = sum(event.strip() in (b"]", b"data: [DONE]") for event in exchange.events)
    assert len(read) == len(exchange.events) - none


def test_one_document_is_no_stream() -> None:
    assert documents("openai.chat", JSON, b'{"a":1}') == ([("", {"a": 1})], False)
    assert documents("hf.task", JSON, b'[{"a":1}]') == ([("", [{"a": 1}])], False)


def test_a_bedrock_models_own_events_are_unwrapped() -> None:
    wrapped = dump({"bytes": base64.b64encode(b'{"completion":"a"}').decode()})
    body = frame("chunk", wrapped) + frame("metadata", b'{"usage":{}}')
    expected = [("chunk", {"completion": "a"}), ("metadata", {"usage": {}})]
    assert documents("bedrock.invoke", FRAMES, body) == (expected, True)


def test_what_is_no_json_is_left_out() -> None:
    spoilt = dump({"bytes": "?"})
    assert documents("bedrock.invoke", FRAMES, frame("chunk", spoilt) + frame("chunk", b"x")) == ([], True)
    read = documents("openai.chat", SSE, b"".join(sse({"a": 1}, b"{", {"b": 2}, done=True)))
    assert read == ([("", {"a": 1}), ("", {"b": 2})], True)


@pytest.mark.parametrize("cut", [1, 7, 20, 40])
def test_a_body_may_stop_anywhere(cut: int) -> None:
    body = b"".join(sse({"a": "a long text"}, {"b": 2}))
    read, streamed = documents("openai.chat", SSE, body[:-cut])
    assert streamed
    assert [("", {"a": "a long text"}), ("", {"b": 2})][: len(read)] == read


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe\x00", b"[" * 100_000])
def test_what_is_none_of_these_has_no_documents(body: bytes) -> None:
    assert documents("openai.chat", JSON, body)[0] == []


def test_a_stream_without_its_media_type_is_known_by_its_look() -> None:
    assert documents("openai.chat", (), b"data: {}\n\ndata: {}\n\n") == ([("", {}), ("", {})], True)
