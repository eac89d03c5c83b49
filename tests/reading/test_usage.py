from dataclasses import fields

import pytest
from hypothesis import given, settings

import exchanges
from exchanges import Exchange
from exchanges.base import dump, sse
from mitmcache.exchange import Usage
from mitmcache.providers.catalogue import PROVIDERS
from mitmcache.reading import usage as module
from mitmcache.reading.counts import MOST
from mitmcache.reading.usage import UNBILLED, usage, used
from reading.spoilt import Spoilt, reply_headers, spoilt

DIALECTS = {dialect.name for provider in PROVIDERS for _, _, dialect in provider.operations}
SSE = (("content-type", "text/event-stream"),)
JSON = (("content-type", "application/json"),)

TOTAL = Usage(input_tokens=9, output_tokens=3, total_tokens=12)
NO_TOTAL = Usage(input_tokens=9, output_tokens=3)
GEMINI = Usage(input_tokens=4, output_tokens=2, total_tokens=6)
COHERE = Usage(input_tokens=4, output_tokens=2)
EXPECTED = {
    "openai chat json": TOTAL,
    "openai chat stream with usage": TOTAL,
    "openai chat stream without usage": None,
    "openai chat stream of a tool call": None,
    "openai responses json": TOTAL,
    "openai responses stream": TOTAL,
    "openai embeddings": TOTAL,
    "openai transcription": Usage(audio_seconds=1.0),
    "openai completions json": None,
    "openai completions stream": None,
    "openai moderations": None,
    "openai images": Usage(images=1),
    "openai speech": None,
    "anthropic messages json": NO_TOTAL,
    "anthropic messages stream": NO_TOTAL,
    "anthropic messages stream with ping and tool use": NO_TOTAL,
    "anthropic count tokens": None,
    "gemini generate json": GEMINI,
    "gemini stream sse": GEMINI,
    "gemini stream json array": GEMINI,
    "gemini embed": None,
    "gemini count tokens": None,
    "vertex generate json": GEMINI,
    "vertex stream sse": GEMINI,
    "vertex claude json": NO_TOTAL,
    "bedrock converse json": TOTAL,
    "bedrock converse stream": TOTAL,
    "bedrock invoke json": NO_TOTAL,
    "bedrock invoke stream": NO_TOTAL,
    "cohere v2 chat json": COHERE,
    "cohere v2 chat stream": COHERE,
    "cohere v1 chat stream": COHERE,
    "rerank": COHERE,
    "cohere rerank": COHERE,
    "ollama chat json": Usage(input_tokens=9, output_tokens=2),
    "ollama chat stream, asked for by saying nothing": Usage(input_tokens=9, output_tokens=2),
    "llama.cpp chat stream": Usage(output_tokens=2),
}


@pytest.mark.parametrize("exchange", [e for e in exchanges.ALL if e.name in EXPECTED], ids=lambda e: e.name)
def test_an_answer_says_what_it_used(exchange: Exchange) -> None:
    assert usage(exchange.dialect, reply_headers(exchange), exchange.answer) == EXPECTED[exchange.name]


def test_every_exchange_of_a_protocol_of_its_own_is_in_the_table() -> None:
    like = {exchange.name for exchange in exchanges.openai_like.ALL}
    assert {exchange.name for exchange in exchanges.ALL} - like <= EXPECTED.keys()


@pytest.mark.parametrize("exchange", exchanges.openai_like.ALL, ids=lambda e: e.name)
def test_whoever_speaks_openais_protocol_is_understood(exchange: Exchange) -> None:
    told = usage(exchange.dialect, reply_headers(exchange), exchange.answer)
    assert (told is not None) == (b"usage" in exchange.answer or b"timings" in exchange.answer)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_every_dialect_has_a_reader_or_nothing_to_read(dialect: str) -> None:
    known = module._DOCUMENT.keys() | module._GROWING.keys() | {"bedrock.invoke"}
    assert (dialect in known) != (dialect in UNBILLED)


def test_no_reader_is_for_a_dialect_that_is_gone() -> None:
    assert (module._DOCUMENT.keys() | module._GROWING.keys() | UNBILLED) <= DIALECTS


def chunk(usage: object) -> dict[str, object]:
    return {"choices": [], "usage": usage}


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([{"prompt_tokens": 1, "completion_tokens": 1}, {"prompt_tokens": 1, "completion_tokens": 7}], 7),
        ([{"prompt_tokens": 1, "completion_tokens": 7}, None], 7),
        ([{"prompt_tokens": 1, "completion_tokens": None}, {"prompt_tokens": 1, "completion_tokens": 7}], 7),
        ([None, None], None),
    ],
)
def test_of_a_stream_that_counts_on_the_last_word_holds(events: list[object], told: int | None) -> None:
    read = usage("openai.chat", SSE, b"".join(sse(*map(chunk, events), done=True)))
    assert (read.output_tokens if read else None) == told


def test_of_an_invoked_claude_bedrock_counts_all_iterations_itself() -> None:
    rounds = [{"type": kind, "input_tokens": 9, "output_tokens": 1} for kind in ("compaction", "message")]
    reply = {"type": "message", "usage": {"input_tokens": 9, "output_tokens": 1, "iterations": rounds}}
    counts = (("x-amzn-bedrock-input-token-count", "5"), ("x-amzn-bedrock-output-token-count", "2"))
    assert usage("bedrock.invoke", (*JSON, *counts), dump(reply)) == Usage(input_tokens=5, output_tokens=2)
    assert usage("bedrock.invoke", JSON, dump(reply)) == Usage(input_tokens=18, output_tokens=2)


def test_a_stream_that_was_cut_says_what_it_had_said() -> None:
    exchange = exchanges.anthropic.MESSAGES_STREAM
    cut = exchange.answer[: exchange.answer.index(b"message_delta") - 20]
    told = usage(exchange.dialect, reply_headers(exchange), cut)
    assert told == Usage(input_tokens=9, output_tokens=1)


def test_a_stream_that_calls_itself_json_is_one_all_the_same() -> None:
    exchange = exchanges.openai.CHAT_STREAM
    assert usage("openai.chat", JSON, exchange.answer) == TOTAL


@pytest.mark.parametrize("body", [b"", b"{", b"nothing", b"\xff\xfe", b"[]", b"null", b'"usage"', b"{}"])
@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_what_is_no_answer_tells_nothing(dialect: str, body: bytes) -> None:
    assert usage(dialect, JSON, body) is None


def test_what_is_no_number_is_not_said() -> None:
    body = dump({"usage": {"prompt_tokens": -4, "completion_tokens": "3", "total_tokens": 10**30}})
    assert usage("openai.chat", JSON, body) is None


def test_an_unknown_dialect_tells_nothing() -> None:
    assert usage("made.chat", JSON, dump({"usage": {"prompt_tokens": 4}})) is None


@settings(max_examples=500)
@given(spoilt())
def test_rubbish_in_an_answer_never_raises_and_never_becomes_a_number(given: Spoilt) -> None:
    told = used(given.dialect, (), given.events)
    numbers = [getattr(told, field.name) for field in fields(Usage)] if told else []
    assert all(number is None or 0 <= number <= 4 * MOST for number in numbers)
