import copy
from typing import Any

import pytest

from mitmcache.cache.prune import prune as take_out
from mitmcache.providers.anthropic import COUNT_TOKENS, MESSAGES
from mitmcache.providers.base import Dialect, Json
from mitmcache.providers.bedrock import CONVERSE, INVOKE
from mitmcache.providers.openai_chat import CHAT
from mitmcache.providers.openai_responses import RESPONSES

A, B = "3f0c1a52-77de-4b0a-9a3e-0123456789ab", "b81f44aa-0d6c-4e55-8f1b-ba9876543210"
C, D = "00000000-0000-4000-8000-000000000000", "11111111-0000-4000-8000-000000000000"


def chat(*ids: str) -> Json:
    calls = [{"id": ids[0], "function": {"name": "f"}}, {"id": ids[1], "function": {"name": "f"}}]
    results = [{"role": "tool", "tool_call_id": each, "content": str(n)} for n, each in enumerate(ids[2:])]
    return {"messages": [{"role": "assistant", "tool_calls": calls}, *results]}


def messages(*ids: str) -> Json:
    calls = [{"type": "tool_use", "id": each, "name": "f"} for each in ids[:2]]
    results = [
        {"type": "tool_result", "tool_use_id": each, "content": str(n)} for n, each in enumerate(ids[2:])
    ]
    said = [{"role": "assistant", "content": calls}, {"role": "user", "content": results}]
    return {"anthropic_version": "bedrock-2023-05-31", "messages": said}


def converse(*ids: str) -> Json:
    calls = [{"toolUse": {"toolUseId": each, "name": "f"}} for each in ids[:2]]
    results = [
        {"toolResult": {"toolUseId": each, "content": [{"text": str(n)}]}} for n, each in enumerate(ids[2:])
    ]
    return {"messages": [{"role": "assistant", "content": calls}, {"role": "user", "content": results}]}


def responses(*ids: str) -> Json:
    calls = [{"type": "function_call", "call_id": each, "name": "f"} for each in ids[:2]]
    results = [
        {"type": "function_call_output", "call_id": each, "output": str(n)} for n, each in enumerate(ids[2:])
    ]
    return {"input": [*calls, *results]}


@pytest.mark.parametrize(
    ("dialect", "written"),
    [
        (CHAT, chat),
        (MESSAGES, messages),
        (COUNT_TOKENS, messages),
        (INVOKE, messages),
        (CONVERSE, converse),
        (RESPONSES, responses),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_made_up_id_counts_only_for_what_is_whose(dialect: Dialect, written: Any) -> None:
    def left(*ids: str) -> Json:
        body = written(*ids)
        take_out(body, dialect)
        return body

    assert left(A, B, A, B) == left(C, D, C, D)
    assert left(A, B, A, B) != left(A, B, B, A)
    assert left(A, B, A, B) != left(A, A, A, A)
    assert left("call_a", "call_b", "call_a", "call_b") == written("call_a", "call_b", "call_a", "call_b")


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [1, {"tool_calls": [1, {"id": 1}], "tool_call_id": {}, "content": [{"id": A}, 1]}]},
        {"messages": "a", "input": "b"},
        {"messages": [{"content": [{"toolUse": 1, "toolResult": {"toolUseId": [A]}}, {"toolUse": {}}]}]},
        {"input": [1, {"call_id": [A]}, {"role": "user", "content": A}]},
        {"id": A, "call_id": A, "tool_call_id": A},
        [],
        1,
    ],
)
@pytest.mark.parametrize("dialect", [CHAT, MESSAGES, CONVERSE, RESPONSES], ids=lambda dialect: dialect.name)
def test_any_other_document_is_left_as_it_is(dialect: Dialect, body: Json) -> None:
    before = copy.deepcopy(body)
    take_out(body, dialect)
    assert body == before
