import pytest

from exchanges.anthropic import START, block, end
from mitmcache.providers.base import Json
from mitmcache.reading.assemble import chat
from mitmcache.reading.assemble_typed import (
    cohere_v2,
    complete,
    converse,
    interaction,
    invoked,
    messages,
    responses,
)
from mitmcache.reading.documents import Named


def named(*events: Json) -> list[Named]:
    return [("", event) for event in events]


def test_claudes_blocks_grow() -> None:
    thinking = {"type": "thinking_delta", "thinking": "hm"}
    signature = {"type": "signature_delta", "signature": "s"}
    result = {"type": "web_search_tool_result", "tool_use_id": "t", "content": []}
    events = [
        START,
        *block(0, {"type": "thinking", "thinking": ""}, thinking, thinking, signature),
        *block(1, result),
        *end("end_turn"),
    ]
    message = messages(named(*events))
    assert message["content"] == [{"type": "thinking", "thinking": "hmhm"}, result]
    assert (message["stop_reason"], message["model"]) == ("end_turn", START["message"]["model"])


def test_a_block_whose_start_was_not_heard_is_known_by_what_it_says() -> None:
    kinds = [
        {"type": "thinking_delta", "thinking": "a"},
        {"type": "input_json_delta", "partial_json": "{}"},
        {"type": "text_delta", "text": "a"},
    ]
    events = [{"type": "content_block_delta", "index": i, "delta": delta} for i, delta in enumerate(kinds)]
    assert [each["type"] for each in messages(named(*events))["content"]] == ["thinking", "tool_use", "text"]


def test_the_legacy_completion_is_joined() -> None:
    events = named({"completion": " Hel"}, {"completion": "lo", "stop_reason": "stop_sequence"})
    assert complete(events) == {"completion": " Hello", "stop_reason": "stop_sequence"}


CALL = {"type": "function_call", "name": "f", "arguments": "", "call_id": "c"}
ITEM = {"type": "message", "role": "assistant", "content": []}
TEXT = {"type": "output_text", "text": "Hello"}


@pytest.mark.parametrize(
    ("events", "output"),
    [
        (
            [
                {"type": "response.output_item.added", "output_index": 0, "item": ITEM},
                {"type": "response.output_text.delta", "output_index": 0, "delta": "Hel"},
                {"type": "response.output_text.delta", "output_index": 0, "delta": "lo"},
            ],
            [{**ITEM, "content": "Hello"}],
        ),
        (
            [
                {"type": "response.output_item.added", "output_index": 0, "item": CALL},
                {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '{"a"'},
                {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": ":1}"},
            ],
            [{**CALL, "arguments": '{"a":1}'}],
        ),
        (
            [{"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "hm"}],
            [{"type": "reasoning", "summary": "hm"}],
        ),
        (
            [
                {"type": "response.output_text.delta", "output_index": 0, "delta": "Hel"},
                {"type": "response.output_item.done", "output_index": 0, "item": {**ITEM, "content": [TEXT]}},
                {"type": "response.completed", "response": {"status": "completed", "output": []}},
            ],
            [{**ITEM, "content": [TEXT]}],
        ),
        (
            [
                {"type": "response.output_text.delta", "output_index": 0, "delta": "Hel"},
                {"type": "response.completed", "response": {"output": [{**ITEM, "content": [TEXT]}]}},
            ],
            [{**ITEM, "content": [TEXT]}],
        ),
    ],
    ids=[
        "cut in a text",
        "cut in a call",
        "cut in reasoning",
        "the last event is empty",
        "the last event has all",
    ],
)
def test_a_response_is_its_last_word_or_its_items(events: list[Json], output: Json) -> None:
    assert responses(named(*events))["output"] == output


def test_an_interactions_steps_grow() -> None:
    events = named(
        {"event_type": "interaction.created", "interaction": {"model": "m", "status": "in_progress"}},
        {"event_type": "step.start", "index": 0, "step": {"type": "thought"}},
        {
            "event_type": "step.delta",
            "index": 0,
            "delta": {"content": {"text": "hm"}, "type": "thought_summary"},
        },
        {"event_type": "step.start", "index": 1, "step": {"type": "model_output"}},
        {"event_type": "step.delta", "index": 1, "delta": {"text": "Hel", "type": "text"}},
        {"event_type": "step.delta", "index": 1, "delta": {"text": "lo", "type": "text"}},
        {"event_type": "interaction.completed", "interaction": {"status": "completed"}},
    )
    assert interaction(events) == {
        "model": "m",
        "status": "completed",
        "steps": [{"type": "thought", "content": "hm"}, {"type": "model_output", "content": "Hello"}],
    }


def test_converses_blocks_grow() -> None:
    events: list[Named] = [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "hm"}}}),
        ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "Hello"}}),
        (
            "contentBlockStart",
            {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}},
        ),
        ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"a"'}}}),
        ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": ":1}"}}}),
        ("messageStop", {"stopReason": "tool_use"}),
    ]
    document = converse(events)
    assert document["stopReason"] == "tool_use"
    assert document["output"]["message"]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "hm"}}},
        {"text": "Hello"},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": '{"a":1}'}},
    ]
    assert converse([("metadata", {"usage": {}})]) is None


def test_coheres_plan_and_calls_grow() -> None:
    def delta(kind: str, **said: Json) -> Json:
        return {"type": kind, "index": 0, "delta": {"message": said}}

    events = named(
        delta("tool-plan-delta", tool_plan="I will "),
        delta("tool-plan-delta", tool_plan="look."),
        delta("tool-call-start", tool_calls={"id": "t", "function": {"name": "f", "arguments": ""}}),
        delta("tool-call-delta", tool_calls={"function": {"arguments": '{"a":1}'}}),
        {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}},
    )
    whole = cohere_v2(events)
    assert whole["message"]["tool_plan"] == "I will look."
    assert whole["message"]["tool_calls"] == [{"id": "t", "function": {"name": "f", "arguments": '{"a":1}'}}]
    assert whole["finish_reason"] == "TOOL_CALL"


NOVA = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "Hel"}}},
    {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"text": "lo"}}},
    {"messageStop": {"stopReason": "end_turn"}},
]


@pytest.mark.parametrize(
    ("events", "document"),
    [
        (
            [{"completion": "Hel"}, {"completion": "lo", "stop_reason": "stop"}],
            {"completion": "Hello", "stop_reason": "stop"},
        ),
        ([{"generation": "Hello"}], {"completion": "Hello", "stop_reason": None}),
        (
            [{"outputText": "Hello", "completionReason": "FINISH"}],
            {"completion": "Hello", "stop_reason": "FINISH"},
        ),
        ([{"outputs": [{"text": "Hello"}]}], {"completion": "Hello", "stop_reason": None}),
        (
            NOVA,
            {
                "output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}},
                "stopReason": "end_turn",
            },
        ),
        ([{"unheard": 1}], None),
    ],
    ids=["the first Claudes", "Llama", "Titan", "Mistral", "Nova", "unheard of"],
)
def test_an_invoked_models_own_events_are_read(events: list[Json], document: Json) -> None:
    assert invoked(named(*events), chat) == document


def test_an_invoked_claude_and_an_invoked_gpt_are_read_as_such() -> None:
    claude = invoked(named(START, *block(0, {"type": "text", "text": ""}, {"text": "Hi"})), chat)
    assert claude["content"][0]["text"] == "Hi"
    gpt = invoked(named({"choices": [{"index": 0, "delta": {"content": "Hi"}}]}), chat)
    assert gpt["choices"][0]["message"]["content"] == "Hi"
