import pytest

from mitmcache.providers.base import Json
from mitmcache.reading.turns import Turn, called_function, message, messages, turn

CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}

CASES: list[tuple[Json, Turn]] = [
    ({"role": "user", "content": "Hi"}, Turn("user", ("Hi",))),
    ({"role": "user", "content": [{"type": "text", "text": "Hi"}]}, Turn("user", ("Hi",))),
    (
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        Turn("assistant", ('→ f({"a": 1})  [call_1]',)),
    ),
    ({"role": "tool", "tool_call_id": "call_1", "content": "rain"}, Turn("tool", ("← [call_1] rain",))),
    (
        {"role": "assistant", "reasoning_content": "hm", "content": "Hi", "refusal": "no"},
        Turn("assistant", ("[reasoning] hm", "Hi", "no")),
    ),
    (
        {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
        Turn("assistant", ("→ f({})",)),
    ),
    ({"role": "assistant", "content": "Hi", "function_call": {}, "audio": {}}, Turn("assistant", ("Hi",))),
    (
        {"role": "assistant", "audio": {"data": "A" * 400, "transcript": "Hi"}},
        Turn("assistant", ("[audio 300 B]", "Hi")),
    ),
    ({"role": "user", "content": "Look", "images": ["A" * 400]}, Turn("user", ("Look", "[image 300 B]"))),
    (
        {"role": "assistant", "images": [{"type": "image_url", "image_url": {"url": "https://a.example/b"}}]},
        Turn("assistant", ("[image https://a.example/b]",)),
    ),
    ("Hi", Turn("message", ("Hi",))),
]


@pytest.mark.parametrize(("value", "told"), CASES)
def test_a_message_is_a_turn(value: Json, told: Turn) -> None:
    assert message(value) == told


def test_a_turn_without_a_role_is_a_message() -> None:
    assert (turn(None, "a", ["b"]).who, turn("", "a").who) == ("message", "message")
    assert turn("user", "a", ["b"]) == Turn("user", ("a", "b"))


@pytest.mark.parametrize(
    "call",
    [
        CALL,
        {"id": "call_1", "name": "f", "parameters": {"a": 1}},
        {"id": "call_1", "name": "f", "arguments": {"a": 1}},
    ],
)
def test_a_call_has_a_function_inside_or_is_one(call: Json) -> None:
    assert called_function(call) == '→ f({"a": 1})  [call_1]'


def test_messages_are_a_list() -> None:
    assert messages([{"role": "user", "content": "a"}, 5]) == [Turn("user", ("a",)), Turn("message", ("5",))]
    assert messages("a") == messages(None) == []
