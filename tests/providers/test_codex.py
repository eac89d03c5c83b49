import copy

import pytest

from mitmcache.providers.base import Json
from mitmcache.providers.codex import INTERNAL, prune, unmeasured


@pytest.mark.parametrize(
    "item",
    [
        {"type": "message", "role": "user", "content": "a"},
        {"role": "user", "content": "b"},
        {"type": "additional_tools", "role": "developer", "tools": [{"name": "exec", "id": "t1"}]},
        {"type": "function_call_output", "call_id": "c1", "output": '{"id": "x"}'},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "x"}]},
    ],
)
def test_an_item_that_nothing_names_loses_its_id(item: Json) -> None:
    said = copy.deepcopy(item) | {"id": "new_1", INTERNAL: {"turn_id": "t"}}
    prune(said)
    assert said == item


@pytest.mark.parametrize(
    "item",
    [
        {"type": "reasoning", "id": "rs_1"},
        {"type": "function_call", "id": "fc_1", "call_id": "c1"},
        {
            "type": "custom_tool_call",
            "id": "ctc_1",
            "call_id": "c1",
            "input": "Wall time 1 seconds\nOutput:\n",
        },
        {"type": "local_shell_call_output", "id": "lsh_1", "output": "x"},
        {"type": "item_reference", "id": "msg_1"},
        {"type": "agent_message", "role": "assistant", "id": "msg_3"},
        {"type": "function_call_output", "output": None},
        {"type": "function_call_output", "output": [{"text": 1}, "x"]},
        {"type": ["message"], "id": "msg_4"},
        {"id": "msg_2"},
    ],
)
def test_others_stay_as_they_are_but_for_the_notes(item: Json) -> None:
    said = copy.deepcopy(item) | {INTERNAL: {"turn_id": "t"}}
    prune(said)
    assert said == item


MEASURED = {
    "a command": (
        "Chunk ID: 9c7981\nWall time: 0.0512 seconds\nProcess exited with code 0\nOriginal token count: 1\n"
        "Output:\nhi\nWall time: 3 seconds\n",
        "Process exited with code 0\nOriginal token count: 1\nOutput:\nhi\nWall time: 3 seconds\n",
    ),
    "one that still runs": (
        "Wall time: 10.0 seconds\nProcess running with session ID 7\nOutput:\n",
        "Process running with session ID 7\nOutput:\n",
    ),
    "the older shell": (
        "Exit code: 1\nWall time: 0 seconds\nTotal output lines: 2\nOutput:\na\nb",
        "Exit code: 1\nTotal output lines: 2\nOutput:\na\nb",
    ),
    "a script": ("Script completed\nWall time 0.2 seconds\nOutput:\n", "Script completed\nOutput:\n"),
    "a result as JSON": (
        '{"chunk_id":"197930","wall_time_seconds":0.000011317,"exit_code":0,"output":"hi"}',
        '{"exit_code":0,"output":"hi"}',
    ),
    "a long one": (
        "Warning: truncated output (original token count: 49751)\nTotal output lines: 1\n\n"
        '{"chunk_id":"4502e8","wall_time_seconds":0.000005759,"exit_code":0,"output":"1',
        '{"exit_code":0,"output":"1',
    ),
    "one with an exponent": ('{"wall_time_seconds":1e-5,"output":"hi"}', '{"output":"hi"}'),
}


@pytest.mark.parametrize(("said", "left"), MEASURED.values(), ids=MEASURED)
def test_what_codex_has_measured_of_a_command_does_not_count(said: str, left: str) -> None:
    assert unmeasured(said) == left
    item = {"type": "function_call_output", "call_id": "c1", "output": said}
    parts = {"type": "custom_tool_call_output", "output": [{"type": "input_text", "text": said}]}
    prune(item)
    prune(parts)
    assert (item["output"], parts["output"]) == (left, [{"type": "input_text", "text": left}])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hi",
        "Output:\nWall time: 1 seconds\n",
        "Wall time: 1 seconds\n",
        "It took:\nWall time: 1 seconds\nOutput:\n",
        "Wall time: 1 seconds\nmy own line\nOutput:\n",
        "Wall time: soon\nOutput:\n",
        "Chunk ID: what a user writes\nOutput:\n",
        '{"exit_code":0,"wall_time_seconds":1}',
        '{"chunk_id":"197930"}',
        "Warning: truncated output (original token count: 9)\nTotal output lines: 1\n\nhi",
    ],
)
def test_what_a_command_says_itself_counts(text: str) -> None:
    assert unmeasured(text) == text
