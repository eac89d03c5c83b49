from typing import Any

import pytest

from mitmcache.providers import tools
from mitmcache.providers.base import Json
from mitmcache.providers.tools import Arguments, JsonListener, MarkerListener, broken, dicts, dig, having
from mitmcache.reasons import Reason
from mitmcache.wire.events import Event


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a": [1]}', {"a": [1]}),
        ('"x"', "x"),
        (b'"\\ud83d"', "\ud83d"),  # half an emoji
        (b"1" + b"0" * 30, 1e30),
    ],
)
def test_parses_json_lone_surrogates_and_long_numbers_too(text: bytes | str, value: Json) -> None:
    assert tools.parse(text) == value


@pytest.mark.parametrize("text", [b"", b"{", b"NaN", b"[Infinity]", b'{"a":1}}', b"\xff", b"[" * 200_000])
def test_what_is_no_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):
        tools.parse(text)


@pytest.mark.parametrize(
    ("arguments", "verdict"),
    [
        ('{"city": "Paris"}', False),
        ("", False),
        ("  ", False),
        (None, False),
        ({"city": "Paris"}, False),
        ([], False),
        ("{", True),
        ('{"city": "Par', True),
        ('{"a":1}{"b":2}', True),
    ],
)
def test_arguments_are_broken_only_as_text_that_is_not_json(arguments: Json, verdict: bool) -> None:
    assert broken(arguments) is verdict


def test_pieces_of_two_calls_are_put_together_apart() -> None:
    arguments = Arguments()
    for call, piece in ((0, '{"a"'), (1, '{"b":'), (0, ":1}"), (1, "2}")):
        arguments.add(call, piece)
    assert arguments.fault() is None


def test_a_call_cut_short_is_a_fault() -> None:
    arguments = Arguments()
    arguments.add(0, "{}")
    arguments.add(1, '{"b":')
    assert arguments.fault() is Reason.TOOL_ARGUMENTS


def test_arguments_past_the_bound_are_not_kept_and_not_judged() -> None:
    arguments = Arguments()
    for _ in range(5):
        arguments.add(0, "[" * (tools.MAX_ARGUMENTS // 3))
    assert arguments.fault() is None
    assert sum(map(len, arguments._pieces["0"])) <= tools.MAX_ARGUMENTS * 4 // 3


def test_dig_and_dicts_give_nothing_where_the_shape_is_another() -> None:
    assert dig({"a": {"b": 1}}, "a", "b") == 1
    assert dig({"a": [1]}, "a", "b") is None
    assert dig(None, "a") is None
    assert dicts([{"a": 1}, 2, None, [{}]]) == [{"a": 1}]
    assert dicts({"a": 1}) == []


@pytest.mark.parametrize(
    ("flag", "path", "verdict"),
    [
        (True, "/v1/x", True),
        ("true", "/v1/x", True),
        ("True", "/v1/x", True),
        ("1", "/v1/x", True),
        (False, "/v1/x", False),
        ("false", "/v1/x", False),
        (1, "/v1/x", False),
        (None, "/v1/models/claude:streamRawPredict", True),
        (None, "/v1/models/claude:rawPredict", False),
    ],
)
def test_a_stream_is_asked_for_by_field_or_by_path(flag: Json, path: str, verdict: bool) -> None:
    assert tools.asks_stream(path, {"stream": flag}) is verdict


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        ({"data": [1]}, None),
        ({"count": 0}, None),
        ({"data": [], "count": 3}, None),
        ({"data": []}, Reason.EMPTY),
        ({}, Reason.EMPTY),
        ({"data": [1], "error": {"code": 1}}, Reason.ERROR),
        ({"data": [1], "error": None}, None),
        ([1], None),
        ([], Reason.EMPTY),
        (None, Reason.EMPTY),
    ],
)
def test_a_reply_needs_one_of_its_fields(document: Json, verdict: Reason | None) -> None:
    assert having("data", "count")(document) is verdict


class Recorder(JsonListener):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Any] = []

    def told(self, name: str, document: dict[str, Any]) -> None:
        self.heard.append((name, document))

    def done(self) -> None:
        self.ended = True


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        (Event("", b'{"error": {"message": "x"}}'), Reason.ERROR),
        (Event("", b'{"type": "error"}'), Reason.ERROR),
        (Event("error", b"no json at all"), Reason.ERROR),
        (Event("", b'{"message": "x"}', error=True), Reason.ERROR),
        (Event("", b"{"), Reason.NOT_JSON),
        (Event("", b"<html>"), Reason.NOT_JSON),
        (Event("", b'{"error": null}'), None),
        (Event("", b"[1]"), None),
        (Event("", b""), None),
        (Event("", b"  "), None),
        (Event("ping", b"no json at all"), None),
    ],
)
def test_every_form_of_error_is_a_fault(event: Event, fault: Reason | None) -> None:
    listener = Recorder()
    listener.hear(event)
    assert listener.fault is fault


def test_the_first_fault_stays() -> None:
    listener = Recorder()
    listener.hear(Event("", b"{"))
    listener.hear(Event("error", b"{}"))
    assert listener.verdict(clean_end=True) is Reason.NOT_JSON


def test_objects_are_told_and_done_is_heard() -> None:
    listener = Recorder()
    listener.hear(Event("x", b'{"a": 1}'))
    listener.hear(Event("", b"[DONE]"))
    assert (listener.heard, listener.ended) == ([("x", {"a": 1})], True)


def test_a_marker_is_found_in_the_type_or_else_the_event_name() -> None:
    for event in (Event("", b'{"type": "end"}'), Event("end", b"{}")):
        listener = MarkerListener("end")
        listener.hear(event)
        listener.hear(Event("", b'{"type": "other"}'))
        assert listener.verdict(clean_end=False) is None
