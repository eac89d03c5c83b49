import pytest
from hypothesis import given, settings

import exchanges
from exchanges import Exchange
from mitmcache.providers.base import Json
from mitmcache.providers.catalogue import PROVIDERS
from mitmcache.providers.tools import parse
from mitmcache.reading import turns_reply
from mitmcache.reading.turns_reply import answered
from reading.spoilt import Spoilt, spoilt

DIALECTS = {dialect.name for provider in PROVIDERS for _, _, dialect in provider.operations}
ONE = "A" * 400  # 300 bytes


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_every_dialect_has_a_reader(dialect: str) -> None:
    assert dialect in turns_reply._READERS


def test_no_reader_is_for_a_dialect_that_is_gone() -> None:
    assert turns_reply._READERS.keys() <= DIALECTS


@pytest.mark.parametrize(
    "exchange",
    [e for e in exchanges.ALL if e.reply and "json" in e.reply_type],
    ids=lambda exchange: exchange.name,
)
def test_every_reply_says_something(exchange: Exchange) -> None:
    turns, _ = answered(exchange.dialect, parse(exchange.reply))
    assert turns


CASES: dict[str, tuple[str, Json, list[str], str]] = {
    "chat": (
        "openai.chat",
        {
            "choices": [
                {"message": {"content": "Hi"}, "finish_reason": "stop"},
                {"text": "Ho", "finish_reason": "length"},
            ]
        },
        ["Hi", "Ho"],
        "stop, length",
    ),
    "old finish details": (
        "openai.chat",
        {"choices": [{"message": {"content": "Hi"}, "finish_details": {"type": "max_tokens"}}]},
        ["Hi"],
        "max_tokens",
    ),
    "responses": (
        "openai.responses",
        {
            "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"},
            "output": [
                {"type": "reasoning", "summary": []},
                {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]},
            ],
        },
        ["[reasoning, not shown]", "Hi"],
        "incomplete, max_output_tokens",
    ),
    "claude": (
        "anthropic.messages",
        {"content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn"},
        ["Hi"],
        "end_turn",
    ),
    "claude's legacy": (
        "anthropic.complete",
        {"completion": "Hi", "stop_reason": "stop_sequence"},
        ["Hi"],
        "stop_sequence",
    ),
    "gemini": (
        "gemini.generate",
        {"candidates": [{"content": {"parts": [{"text": "Hi"}], "role": "model"}, "finishReason": "STOP"}]},
        ["Hi"],
        "STOP",
    ),
    "gemini refuses": ("gemini.generate", {"promptFeedback": {"blockReason": "SAFETY"}}, [], "SAFETY"),
    "interaction": (
        "gemini.interactions",
        {
            "status": "completed",
            "steps": [{"type": "model_output", "content": [{"type": "text", "text": "Hi"}]}],
        },
        ["Hi"],
        "completed",
    ),
    "converse": (
        "bedrock.converse",
        {"output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}}, "stopReason": "end_turn"},
        ["Hi"],
        "end_turn",
    ),
    "titan": (
        "bedrock.invoke",
        {"results": [{"outputText": "Hi", "completionReason": "FINISH"}]},
        ["Hi"],
        "FINISH",
    ),
    "jurassic": (
        "bedrock.invoke",
        {"completions": [{"data": {"text": "Hi"}, "finishReason": {"reason": "length"}}]},
        ["Hi"],
        "length",
    ),
    "llama": ("bedrock.invoke", {"generation": "Hi", "stop_reason": "length"}, ["Hi"], "length"),
    "command": ("bedrock.invoke", {"text": "Hi", "finish_reason": "MAX_TOKENS"}, ["Hi"], "MAX_TOKENS"),
    "titan's vector": ("bedrock.invoke", {"embedding": [0.5] * 256}, ["[1 vector of 256 numbers]"], ""),
    "cohere": (
        "cohere.v2.chat",
        {
            "message": {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]},
            "finish_reason": "COMPLETE",
        },
        ["Hi"],
        "COMPLETE",
    ),
    "cohere's first": ("cohere.v1.chat", {"text": "Hi", "finish_reason": "COMPLETE"}, ["Hi"], "COMPLETE"),
    "cohere's generations": (
        "cohere.v1.chat",
        {"generations": [{"text": "Hi"}, {"text": "Ho"}]},
        ["Hi", "Ho"],
        "",
    ),
    "ollama": (
        "ollama.chat",
        {"message": {"role": "assistant", "content": "Hi"}, "done_reason": "stop"},
        ["Hi"],
        "stop",
    ),
    "ollama generates": ("ollama.chat", {"response": "Hi", "thinking": "hm"}, ["[reasoning] hm", "Hi"], ""),
    "llama.cpp": (
        "llamacpp.completion",
        [{"content": "Hi"}, {"content": "Ho", "stop_type": "eos"}],
        ["Hi", "Ho"],
        "eos",
    ),
    "text generation": (
        "hf.task",
        [{"generated_text": "Hi", "details": {"finish_reason": "length"}}],
        ["Hi"],
        "length",
    ),
    "another task": ("hf.task", [{"score": 0.5}], ['[{"score": 0.5}]'], ""),
    "vectors": (
        "openai.embeddings",
        {"data": [{"embedding": [0.5] * 3}, {"embedding": [0.5] * 3}]},
        ["[2 vectors of 3 numbers]"],
        "",
    ),
    "packed vectors": (
        "openai.embeddings",
        {"data": [{"embedding": "AAAA"}]},
        ["[1 vector of packed numbers]"],
        "",
    ),
    "vectors by type": (
        "cohere.embed",
        {"embeddings": {"float": [[0.5, 0.5]]}},
        ["[1 vector of 2 numbers]"],
        "",
    ),
    "gemini's vectors": (
        "gemini.embed",
        {"embeddings": [{"values": [0.5]}]},
        ["[1 vector of 1 numbers]"],
        "",
    ),
    "vertex's vectors": (
        "gemini.predict",
        {"predictions": [{"embeddings": {"values": [0.5]}}]},
        ["[1 vector of 1 numbers]"],
        "",
    ),
    "vertex's images": (
        "gemini.predict",
        {"predictions": [{"bytesBase64Encoded": ONE, "mimeType": "image/png"}]},
        ["[image image/png 300 B]"],
        "",
    ),
    "images": (
        "openai.images",
        {"data": [{"b64_json": ONE, "revised_prompt": "a cat"}]},
        ["[image 300 B]", "a cat"],
        "",
    ),
    "a signed image": (
        "openai.images",
        {"data": [{"url": "https://a.example/b?sig=1"}]},
        ["[image https://a.example/b]"],
        "",
    ),
    "a transcript": ("openai.audio.transcriptions", {"text": "Hi"}, ["Hi"], ""),
    "speech in JSON": ("openai.audio.speech", {"audio_data": ONE}, ["[audio 300 B]"], ""),
    "pages": ("ocr", {"pages": [{"markdown": "# Hi"}, {"markdown": "Ho"}]}, ["# Hi", "Ho"], ""),
    "tokens": ("anthropic.count_tokens", {"input_tokens": 14}, ['{"input_tokens": 14}'], ""),
    "an error": ("openai.chat", {"error": {"message": "no such model", "code": 404}}, ["no such model"], ""),
    "an error in an array": (
        "gemini.generate",
        [{"error": {"message": "no such model"}}],
        ["no such model"],
        "",
    ),
    "an error of ollama's": ("ollama.chat", {"error": "no such model"}, ["no such model"], ""),
    "an error of AWS'": ("bedrock.converse", {"message": "no such model"}, ["no such model"], ""),
    "nothing known": ("openai.chat", {"unheard": 1}, [], ""),
    "a page": ("openai.chat", "<html>", [], ""),
}


@pytest.mark.parametrize("name", CASES)
def test_a_reply_is_what_was_said(name: str) -> None:
    dialect, document, said, finish = CASES[name]
    turns, stopped = answered(dialect, document)
    assert [text for turn in turns for text in turn.says] == said
    assert stopped == finish


@settings(max_examples=500)
@given(spoilt())
def test_rubbish_in_a_reply_never_raises(given: Spoilt) -> None:
    for _, document in given.events:
        turns, finish = answered(given.dialect, document)
        assert isinstance(finish, str)
        assert all(turn.says for turn in turns)
