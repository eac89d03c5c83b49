import base64
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import exchanges
from corpus import corpus_dir
from exchanges import Exchange
from exchanges.base import dump
from mitmcache.exchange import Usage
from mitmcache.reading.transcript import LIMIT, counted, of_reply, of_request, written
from mitmcache.reading.turns import Turn
from reading.recorded import recorded
from reading.spoilt import reply_headers

JSON = (("content-type", "application/json"),)
PICTURE = base64.b64encode(bytes(range(256)) * 48).decode()


def test_a_request_is_its_conversation() -> None:
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}},
    ]
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}]
    body = dump({"model": "m", "stream": True, "messages": messages})
    assert of_request("openai.chat", JSON, body) == (
        "── settings ──\nmodel: m\nstream: true\n\n"
        "── system ──\nBe brief.\n\n"
        "── user ──\nWhat is this?\n[image image/png 12 kB]\n"
    )


def test_a_streams_reply_is_its_answer_its_end_and_its_usage() -> None:
    exchange = exchanges.anthropic.ALL[2]
    assert of_reply(exchange.dialect, reply_headers(exchange), exchange.answer) == (
        '── assistant ──\nLooking.\n→ weather({"city": "Oslo"})  [toolu_1]\n\n'
        "finish: tool_use\nusage: 9 input tokens, 3 output tokens\n"
    )


@pytest.mark.parametrize("exchange", exchanges.ALL, ids=lambda exchange: exchange.name)
def test_every_exchange_can_be_read(exchange: Exchange) -> None:
    asked = of_request(exchange.dialect, exchange.headers, exchange.body)
    assert asked and "hello" in asked
    assert of_reply(exchange.dialect, reply_headers(exchange), exchange.answer)


def test_a_form_is_its_parts() -> None:
    exchange = exchanges.openai.TRANSCRIPTION
    assert of_request(exchange.dialect, exchange.headers, exchange.body) == (
        "── model ──\nwhisper-1\n\n── prompt ──\nhello\n\n── file ──\n[audio audio/wav 24 B]\n"
    )
    assert of_request(exchange.dialect, exchange.headers, exchange.body[:-5]) is None


def test_sound_is_told_by_its_size() -> None:
    assert (
        of_reply("openai.audio.speech", (("content-type", "audio/mpeg"),), bytes(2052))
        == "[audio audio/mpeg 2 kB]\n"
    )


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b"null", b"\xff", b'{"unheard":1}'])
def test_what_is_not_known_is_nothing(body: bytes) -> None:
    assert of_request("openai.chat", JSON, body) is None
    assert of_reply("openai.chat", JSON, body) is None


def test_an_error_is_shown() -> None:
    assert (
        of_reply("openai.chat", JSON, dump({"error": {"message": "no such model"}}))
        == "── error ──\nno such model\n"
    )


@pytest.mark.parametrize(
    ("usage", "words"),
    [
        (Usage(input_tokens=9, output_tokens=0), "9 input tokens, 0 output tokens"),
        (Usage(input_tokens=9, cache_read_input_tokens=0), "9 input tokens"),
        (
            Usage(output_tokens=123_456_789, reasoning_output_tokens=2),
            "123456789 output tokens, 2 reasoning output tokens",
        ),
        (Usage(audio_seconds=1.5), "1.5 audio seconds"),
    ],
)
def test_usage_is_one_line(usage: Usage, words: str) -> None:
    assert counted(usage) == words


def test_of_a_long_conversation_the_start_and_the_end_are_shown() -> None:
    turns = [Turn("user", (f"turn {number} " + "word " * 400,)) for number in range(500)]
    text = written(turns)
    assert len(text) <= LIMIT
    assert "turn 0 " in text
    assert "turn 499 " in text
    assert "turn 250 " not in text
    assert "characters left out" in text


@given(st.lists(st.tuples(st.text(max_size=80), st.integers(0, 3 * LIMIT)), max_size=5))
def test_no_transcript_is_longer_than_its_limit(sizes: list[tuple[str, int]]) -> None:
    assert len(written([Turn(who, ("a " * (size // 2),)) for who, size in sizes])) <= LIMIT


@settings(max_examples=300)
@given(st.sampled_from(exchanges.ALL), st.data())
def test_a_reply_may_stop_anywhere(exchange: Exchange, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(exchange.answer)))
    text = of_reply(exchange.dialect, reply_headers(exchange), exchange.answer[:cut])
    assert text is None or text.encode()


@pytest.mark.skipif(corpus_dir() is None, reason="no corpus")
def test_every_recorded_exchange_can_be_read() -> None:
    """But one embedding of nothing."""
    unread = []
    for each in recorded():
        asked = of_request(each.dialect, each.request_headers, each.request)
        replied = of_reply(each.dialect, each.headers, each.body)
        if asked is None or replied is None:
            unread.append((each.dialect, asked is None, replied is None))
        for text in filter(None, (asked, replied)):
            assert len(text) < LIMIT + 1000
            assert not re.search("[A-Za-z0-9+/]{400}", text)
    assert unread == [("openai.embeddings", True, False)]
