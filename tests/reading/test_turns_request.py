import pytest
from hypothesis import given, settings

import exchanges
from exchanges import Exchange
from mitmcache.providers.base import Json
from mitmcache.providers.tools import parse
from mitmcache.reading.turns import Turn
from mitmcache.reading.turns_request import asked, item
from mitmcache.reading.turns_request import settings as settings_of
from reading.spoilt import Spoilt, spoilt


def words(turns: list[Turn]) -> list[tuple[str, str]]:
    return [(turn.who, "|".join(turn.says)) for turn in turns]


CASES: dict[str, tuple[Json, list[tuple[str, str]]]] = {
    "openai.chat": (
        {"model": "m", "messages": [{"role": "system", "content": "Be."}, {"role": "user", "content": "Hi"}]},
        [("settings", "model: m"), ("system", "Be."), ("user", "Hi")],
    ),
    "anthropic.messages": (
        {"system": [{"type": "text", "text": "Be."}], "messages": [{"role": "user", "content": "Hi"}]},
        [("system", "Be."), ("user", "Hi")],
    ),
    "openai.responses": (
        {
            "instructions": "Be.",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
                {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"},
                {"type": "function_call_output", "call_id": "c", "output": "rain"},
            ],
        },
        [("system", "Be."), ("user", "Hi"), ("assistant", "→ f({})  [c]"), ("tool", "← [c] rain")],
    ),
    "gemini.generate": (
        {
            "system_instruction": {"parts": [{"text": "Be."}]},
            "contents": [
                {"role": "user", "parts": [{"text": "Hi"}]},
                {"role": "model", "parts": [{"text": "Yes"}]},
            ],
        },
        [("system", "Be."), ("user", "Hi"), ("model", "Yes")],
    ),
    "gemini.count_tokens": (
        {"generateContentRequest": {"contents": [{"parts": [{"text": "Hi"}]}]}},
        [("user", "Hi")],
    ),
    "gemini.embed": (
        {"requests": [{"content": {"parts": [{"text": "a"}]}}, {"content": {"parts": [{"text": "b"}]}}]},
        [("content", "a"), ("content", "b")],
    ),
    "gemini.interactions": (
        {
            "input": [
                {"type": "text", "text": "Hi"},
                {"type": "image", "data": "A" * 400, "mime_type": "image/png"},
            ]
        },
        [("user", "Hi"), ("user", "[image image/png 300 B]")],
    ),
    "bedrock.converse": (
        {"system": [{"text": "Be."}], "messages": [{"role": "user", "content": [{"text": "Hi"}]}]},
        [("system", "Be."), ("user", "Hi")],
    ),
    "bedrock.invoke": ({"inputText": "Hi"}, [("inputText", "Hi")]),
    "cohere.v1.chat": (
        {"preamble": "Be.", "chat_history": [{"role": "CHATBOT", "message": "Yes"}], "message": "Hi"},
        [("system", "Be."), ("chatbot", "Yes"), ("user", "Hi")],
    ),
    "ollama.chat": (
        {"prompt": "Hi", "images": ["A" * 400]},
        [("prompt", "Hi"), ("images", "[base64 300 B]")],
    ),
    "openai.completions": ({"prompt": "Hi", "suffix": "."}, [("prompt", "Hi"), ("suffix", ".")]),
    "openai.embeddings": ({"input": [[1, 2, 3], [4, 5]]}, [("input", "[3 tokens]|[2 tokens]")]),
    "rerank": ({"query": "Hi", "documents": ["a", "b"]}, [("query", "Hi"), ("documents", "a|b")]),
    "ocr": (
        {"document": {"type": "document_url", "document_url": "https://a.example/b"}},
        [("document", "[document https://a.example/b]")],
    ),
    "hf.task": ({"inputs": "Hi"}, [("inputs", "Hi")]),
}


@pytest.mark.parametrize("dialect", CASES)
def test_a_request_is_its_conversation(dialect: str) -> None:
    body, told = CASES[dialect]
    assert words(asked(dialect, body)) == told


@pytest.mark.parametrize(
    "exchange",
    [e for e in exchanges.ALL if b"boundary" not in e.body and e.body[:1] == b"{"],
    ids=lambda e: e.name,
)
def test_what_was_said_is_shown_in_every_dialect(exchange: Exchange) -> None:
    said = "".join(text for _, text in words(asked(exchange.dialect, parse(exchange.body))))
    assert "hello" in said


@pytest.mark.parametrize("body", [None, [], "a", 5, {}, {"model": "m"}, {"messages": []}, {"messages": 5}])
def test_without_a_conversation_there_is_nothing(body: Json) -> None:
    assert asked("openai.chat", body) == []


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ({"model": "m", "temperature": 0.5, "stream": True}, "model: m\ntemperature: 0.5\nstream: true"),
        ({"user": "a" * 300, "stop": ["x"]}, None),
        ({"tools": [{"type": "function", "function": {"name": "f"}}, {"name": "g"}]}, "tools: f, g"),
        (
            {"tools": [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}, {"googleSearch": {}}]},
            "tools: f, g, googleSearch",
        ),
        ({"toolConfig": {"tools": [{"toolSpec": {"name": "f"}}]}}, "tools: f"),
        ({"tools": [{"type": "web_search"}]}, "tools: web_search"),
    ],
)
def test_settings_are_what_is_short(body: dict[str, Json], lines: str | None) -> None:
    assert settings_of(body) == ([Turn("settings", (lines,))] if lines else [])


@pytest.mark.parametrize(
    ("value", "who"),
    [
        ("Hi", "user"),
        ({"type": "message", "role": "developer", "content": "Hi"}, "developer"),
        ({"type": "reasoning", "summary": []}, "assistant"),
        ({"type": "web_search_call"}, "assistant"),
        ({"type": "tool_search_output"}, "tool"),
        ({"type": "model_output", "content": [{"type": "text", "text": "Hi"}]}, "assistant"),
    ],
)
def test_an_items_type_says_whose_it_is(value: Json, who: str) -> None:
    assert item(value).who == who


@settings(max_examples=300)
@given(spoilt())
def test_rubbish_in_a_request_never_raises(given: Spoilt) -> None:
    assert all(turn.says for turn in asked(given.dialect, given.request))
