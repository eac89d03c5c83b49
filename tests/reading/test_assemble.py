import pytest
from hypothesis import given, settings

import exchanges
from exchanges import Exchange
from exchanges.openai import TOOL_CALL, chunk
from mitmcache.providers.base import Json
from mitmcache.reading.assemble import assembled
from mitmcache.reading.documents import documents
from mitmcache.reading.turns_reply import answered
from reading.spoilt import Spoilt, reply_headers, spoilt

SAID = {
    "openai chat stream with usage": "Héllo there.",
    "openai chat stream without usage": "Héllo there.",
    "openai chat stream of a tool call": '→ weather({"city": "Oslo"})  [call_1]',
    "openai responses stream": "Hello there.",
    "openai completions stream": "Hi",
    "anthropic messages stream": "Hello thëre.",
    "anthropic messages stream with ping and tool use": 'Looking.|→ weather({"city": "Oslo"})  [toolu_1]',
    "gemini stream sse": "Hello thëre.",
    "gemini stream json array": "Hello thëre.",
    "vertex stream sse": "Hello thëre.",
    "bedrock converse stream": "Hello.",
    "bedrock invoke stream": "Hello.",
    "cohere v2 chat stream": "Hello.",
    "cohere v1 chat stream": "Hello.",
    "ollama chat stream, asked for by saying nothing": "Hello.",
}


@pytest.mark.parametrize("exchange", exchanges.STREAMS, ids=lambda exchange: exchange.name)
def test_a_streams_pieces_are_one_answer(exchange: Exchange) -> None:
    read, streamed = documents(exchange.dialect, reply_headers(exchange), exchange.answer)
    assert streamed
    turns, finish = answered(exchange.dialect, assembled(exchange.dialect, read))
    said = "|".join(text for turn in turns for text in turn.says)
    assert said == SAID.get(exchange.name, said)
    assert said
    assert finish or "error" in said


def test_the_table_is_of_exchanges_that_are() -> None:
    assert SAID.keys() <= {exchange.name for exchange in exchanges.STREAMS}


def chat(*chunks: Json) -> Json:
    return assembled("openai.chat", [("", each) for each in chunks])


def message(*deltas: Json) -> Json:
    return chat(*(chunk(delta) for delta in deltas))["choices"][0]["message"]


def test_a_call_without_an_index_is_known_by_its_id() -> None:
    calls = [{"id": name, "function": {"name": name, "arguments": "{}"}} for name in ("a", "b")]
    said = message({"tool_calls": calls})
    assert [call["function"]["name"] for call in said["tool_calls"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("deltas", "name", "value"),
    [
        ([{"reasoning_content": "h"}, {"reasoning_content": "m"}], "reasoning_content", "hm"),
        ([{"content": [{"type": "thinking", "thinking": [{"text": "hm"}]}]}], "reasoning", "hm"),
        ([{"content": [{"type": "text", "text": "Hi"}]}], "content", "Hi"),
        ([{"refusal": "n"}, {"refusal": "o"}], "refusal", "no"),
        (
            [{"audio": {"data": "AA"}}, {"audio": {"data": "BB", "transcript": "Hi"}}],
            "audio",
            {"data": "AABB", "transcript": "Hi"},
        ),
    ],
)
def test_every_kind_of_text_is_put_together(deltas: Json, name: str, value: Json) -> None:
    assert message(*deltas)[name] == value


def test_arguments_that_come_as_an_object_are_whole() -> None:
    said = message({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": {"a": 1}}}]})
    assert said["tool_calls"][0]["function"]["arguments"] == {"a": 1}


def test_the_old_function_call_is_one() -> None:
    said = message(
        {"function_call": {"name": "f", "arguments": '{"a"'}}, {"function_call": {"arguments": ":1}"}}
    )
    assert said["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a":1}'}


def test_calls_that_all_have_the_first_number_are_told_apart_by_id_and_name() -> None:
    said = message(
        {"tool_calls": [{"index": 0, "id": "x", "function": {"name": "f", "arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "id": "x", "function": {"arguments": ":1}"}}]},
        {"tool_calls": [{"index": 0, "id": "y", "function": {"name": "f", "arguments": "{"}}]},
        {"tool_calls": [{"index": 0, "id": "z", "function": {"arguments": "}"}}]},
    )
    assert said["tool_calls"] == [
        {"id": "x", "function": {"name": "f", "arguments": '{"a":1}'}},
        {"id": "y", "function": {"name": "f", "arguments": "{}"}},
    ]


def test_choices_stay_apart() -> None:
    deltas = [
        {"choices": [{"index": index, "delta": {"content": text}}]}
        for index, text in [(0, "a"), (1, "x"), (0, "b")]
    ]
    assert [choice["message"]["content"] for choice in chat(*deltas)["choices"]] == ["ab", "x"]


def test_who_leaves_out_a_number_means_the_first() -> None:
    deltas: list[Json] = [
        {"choices": [{**number, "delta": {"content": text}}]}
        for number, text in [({"index": 0}, "a"), ({}, "b"), ({"index": 0}, "c")]
    ]
    assert [choice["message"]["content"] for choice in chat(*deltas)["choices"]] == ["abc"]
    events: list[Json] = [
        {"candidates": [{**number, "content": {"parts": [{"text": text}]}}]}
        for number, text in [({"index": 0}, "a"), ({}, "b")]
    ]
    said = assembled("gemini.generate", [("", each) for each in events])
    assert [each["content"]["parts"] for each in said["candidates"]] == [[{"text": "ab"}]]


def test_geminis_thoughts_and_calls_stay_apart() -> None:
    parts = [
        {"text": "h", "thought": True},
        {"text": "m", "thought": True},
        {"text": "Hi"},
        {"functionCall": {"name": "f"}},
    ]
    events: list[tuple[str, Json]] = [
        ("", {"candidates": [{"content": {"parts": [part]}}]}) for part in parts
    ]
    [candidate] = assembled("gemini.generate", events)["candidates"]
    assert candidate["content"]["parts"] == [
        {"text": "hm", "thought": True},
        {"text": "Hi"},
        {"functionCall": {"name": "f"}},
    ]


@pytest.mark.parametrize(
    ("dialect", "events", "document"),
    [
        (
            "llamacpp.completion",
            [{"content": "a"}, {"content": "b", "stop_type": "eos"}],
            {"content": "ab", "stop_type": "eos"},
        ),
        ("hf.task", [{"token": {"text": "a"}}, {"token": {"text": "b"}}], {"generated_text": "ab"}),
        (
            "hf.task",
            [{"token": {"text": "a"}}, {"generated_text": "ab", "details": {}}],
            {"generated_text": "ab", "details": {}},
        ),
        ("cohere.v1.chat", [{"text": "a"}, {"text": "b"}], {"text": "ab"}),
        (
            "openai.images",
            [{"type": "image_generation.completed", "b64_json": "QQ"}],
            {"data": [{"b64_json": "QQ"}]},
        ),
        ("openai.images", [{"type": "image_generation.partial_image", "b64_json": "QQ"}], None),
        ("openai.audio.speech", [{"type": "speech.audio.delta", "audio": "QQ"}], {"audio": "QQ"}),
        ("openai.audio.transcriptions", [{"type": "transcript.text.delta", "delta": "a"}], {"text": "a"}),
        ("openai.audio.transcriptions", [{"type": "transcript.text.done", "text": "ab"}], {"text": "ab"}),
        ("openai.embeddings", [{"data": []}], None),
    ],
)
def test_the_smaller_streams(dialect: str, events: list[Json], document: Json) -> None:
    assert assembled(dialect, [("", event) for event in events]) == document


def test_an_error_on_the_way_is_the_answers_error() -> None:
    failed = chat(chunk({"content": "Hal"}), {"error": {"message": "overloaded"}})
    assert failed["choices"][0]["message"]["content"] == "Hal"
    assert failed["error"] == {"message": "overloaded"}
    typed = assembled(
        "anthropic.messages", [("error", {"type": "error", "error": {"message": "overloaded"}})]
    )
    assert typed == {"error": {"message": "overloaded"}}


def test_a_stream_that_was_cut_is_what_came() -> None:
    read, _ = documents("openai.chat", (("content-type", "text/event-stream"),), b"".join(TOOL_CALL[:2]))
    [choice] = assembled("openai.chat", read)["choices"]
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"city":'


@settings(max_examples=400)
@given(spoilt())
def test_rubbish_in_a_stream_never_raises(given: Spoilt) -> None:
    document = assembled(given.dialect, given.events)
    assert document is None or isinstance(document, dict)
