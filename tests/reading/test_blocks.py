import pytest
from hypothesis import given

from jsonforms import DOCUMENTS
from mitmcache.providers.base import Json
from mitmcache.reading.blocks import blocks, thought

DATA = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAIAQMAAAD+wSzIAAAABlBMVEX///+/v7+jQ3Y5AAAA"  # 54 bytes

CASES: list[tuple[Json, list[str]]] = [
    ("a text", ["a text"]),
    ("", []),
    (None, []),
    (5, ["5"]),
    ([{"type": "text", "text": "a"}, {"type": "input_text", "text": "b"}, "c"], ["a", "b", "c"]),
    ({"type": "refusal", "refusal": "I cannot"}, ["[refusal] I cannot"]),
    # OpenAI's
    (
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}},
        ["[image image/png 54 B]"],
    ),
    ({"type": "image_url", "image_url": "https://a.example/b"}, ["[image https://a.example/b]"]),
    ({"type": "document_url", "document_url": "https://a.example/b"}, ["[document https://a.example/b]"]),
    ({"type": "input_audio", "input_audio": {"data": DATA, "format": "wav"}}, ["[audio wav 54 B]"]),
    ({"type": "input_image", "image_url": f"data:image/png;base64,{DATA}"}, ["[image image/png 54 B]"]),
    ({"type": "input_file", "filename": "a.pdf", "file_data": DATA}, ["[file a.pdf 54 B]"]),
    ({"type": "file", "file": {"file_id": "file-1"}}, ["[file file-1]"]),
    ({"type": "function_call", "name": "f", "arguments": '{"a":1}', "call_id": "c"}, ['→ f({"a": 1})  [c]']),
    ({"type": "function_call_output", "call_id": "c", "output": "rain"}, ["← [c] rain"]),
    ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}, ["[reasoning] hm"]),
    ({"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]}, ["[reasoning] hm"]),
    ({"type": "reasoning", "summary": [], "encrypted_content": DATA}, ["[reasoning, not shown]"]),
    (
        {"type": "web_search_call", "id": "w", "action": {"q": 1}},
        ['[web_search_call] {"id": "w", "action": {"q": 1}}'],
    ),
    # Anthropic's
    (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}},
        ["[image image/png 54 B]"],
    ),
    ({"type": "document", "source": {"type": "text", "data": "words"}}, ["[document] words"]),
    (
        {"type": "document", "source": {"type": "url", "url": "https://a.example/b"}},
        ["[document https://a.example/b]"],
    ),
    ({"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}, ['→ f({"a": 1})  [t]']),
    ({"type": "server_tool_use", "id": "t", "name": "f", "input": {}}, ["→ f({})  [t]"]),
    (
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "rain"}]},
        ["← [t] rain"],
    ),
    ({"type": "tool_result", "tool_use_id": "t", "content": "no", "is_error": True}, ["← [t] error: no"]),
    ({"type": "web_fetch_tool_result", "tool_use_id": "t", "content": []}, ["← [t] "]),
    ({"type": "thinking", "thinking": "hm", "signature": DATA}, ["[reasoning] hm"]),
    ({"type": "redacted_thinking", "data": DATA}, ["[reasoning, not shown]"]),
    # Mistral's and Cohere's
    ({"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, ["[reasoning] hm"]),
    ({"type": "document", "document": {"id": "1"}}, ['[document] {"id": "1"}']),
    # Gemini's
    ({"text": "a", "thoughtSignature": DATA}, ["a"]),
    ({"text": "hm", "thought": True}, ["[reasoning] hm"]),
    ({"inlineData": {"mimeType": "image/png", "data": DATA}}, ["[image image/png 54 B]"]),
    ({"inline_data": {"mime_type": "audio/wav", "data": DATA}}, ["[audio audio/wav 54 B]"]),
    ({"fileData": {"mimeType": "video/mp4", "fileUri": "gs://a/b"}}, ["[video video/mp4 gs://a/b]"]),
    ({"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": DATA}, ['→ f({"a": 1})']),
    ({"functionResponse": {"name": "f", "response": {"a": 1}}}, ['← [f] {"a": 1}']),
    ({"executableCode": {"code": "1+1"}}, ["[code]\n1+1"]),
    ({"codeExecutionResult": {"output": "2"}}, ["← 2"]),
    ({"thoughtSignature": DATA}, []),
    # Converse's
    ({"image": {"format": "png", "source": {"bytes": DATA}}}, ["[image png 54 B]"]),
    ({"document": {"format": "txt", "source": {"text": "words"}}}, ["[document] words"]),
    ({"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://a/b"}}}}, ["[video mp4 s3://a/b]"]),
    ({"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}}, ['→ f({"a": 1})  [t]']),
    ({"toolResult": {"toolUseId": "t", "content": [{"json": {"a": 1}}]}}, ['← [t] {"a": 1}']),
    ({"toolResult": {"toolUseId": "t", "content": [{"text": "no"}], "status": "error"}}, ["← [t] error: no"]),
    ({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}, ["[reasoning] hm"]),
    ({"cachePoint": {"type": "default"}}, []),
    ({"guardContent": {"text": {"text": "a"}}}, ["a"]),
    ({"citationsContent": {"content": [{"text": "a"}]}}, ["a"]),
    # nobody's
    ({"unheard": 1}, ['{"unheard": 1}']),
]


@pytest.mark.parametrize(("content", "said"), CASES)
def test_a_piece_of_content_is_text(content: Json, said: list[str]) -> None:
    assert blocks(content) == said


def test_nothing_is_packed_in_what_is_shown() -> None:
    long = DATA * 10
    for piece in ({"type": "unheard", "data": long}, {"type": "text", "text": long}, {"a": [{"b": long}]}):
        assert DATA not in "".join(blocks(piece))


def test_reasoning_is_marked_once() -> None:
    assert thought([{"type": "reasoning_text", "text": "a"}, "b"]) == "[reasoning] a\nb"


@given(DOCUMENTS)
def test_any_json_is_text(content: Json) -> None:
    assert all(isinstance(text, str) for text in blocks(content))


def test_a_nest_of_results_is_cut() -> None:
    nest: Json = "deep"
    for _ in range(500):
        nest = {"type": "tool_result", "content": [nest]}
    assert "deep" not in "".join(blocks(nest))
