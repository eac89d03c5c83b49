from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.events import event
from mitmcache.exchange import Usage
from mitmcache.journal.event import Cost, Event
from mitmcache.journal.trace import Parent
from mitmcache.logs.line import LONGEST, console_lines, error_words, fields, json_lines, plain

USED = Usage(input_tokens=11, output_tokens=7, cache_read_input_tokens=0, total_tokens=18)
COST = Cost(0.1, 0.2, 0.3, 0.0)
HIT = {"word": "HIT", "reason": "", "tier": "memory", "dialled": False}


def parsed(*events: Event) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in json_lines()(events)]


def test_a_line_says_what_the_event_says_under_the_same_names() -> None:
    told = event(usage=USED, cost=COST, unstored="no-store", nearest="1" * 64, differs=("a", "b"))
    [line] = parsed(told)
    assert line == {
        "timestamp": "1970-01-12T13:46:40.500000Z",
        "level": "info",
        "event": "llm_call",
        **{
            name: getattr(told, name)
            for name in (
                *("id", "client", "agent", "provider", "host", "dialect", "operation", "model", "word"),
                *("reason", "unstored", "status", "streamed", "request_size", "response_size"),
                *("duration", "decided", "first_byte"),
            )
        },
        "key": "0" * 12,
        "nearest": "1" * 12,
        "differs": ["a", "b"],
        "ledger": "billed",
        "input_tokens": 11,
        "output_tokens": 7,
        "cache_read_input_tokens": 0,
        "cost_usd": 0.3,
    }


MONEY = [
    ("a miss costs", event(usage=USED, cost=COST), {"ledger": "billed", "cost_usd": 0.3, "input_tokens": 11}),
    ("a hit saves", event(**HIT, usage=USED, cost=COST), {"ledger": "saved", "saved_usd": 0.3}),
    ("a price that nobody knows", event(usage=USED), {"ledger": "billed", "output_tokens": 7}),
    ("a usage that nobody knows", event(), {"ledger": "billed"}),
    ("what is nobody's bill", event(dialled=False, status=504), {}),
]
ACCOUNTS = {"ledger", "cost_usd", "saved_usd", "input_tokens", "output_tokens"}


@pytest.mark.parametrize(("told", "expected"), [pytest.param(*case[1:], id=case[0]) for case in MONEY])
def test_cost_and_savings_are_told_apart_and_never_guessed(told: Event, expected: dict[str, Any]) -> None:
    found = fields(told)
    assert {name: found[name] for name in expected} == expected
    absent = {"cost_usd", "saved_usd", *(ACCOUNTS if not told.usage else ())} - expected.keys()
    assert not found.keys() & absent


def test_what_is_unknown_is_left_out_and_what_is_0_is_told() -> None:
    unknown = event(status=0, first_byte=None, response_size=0, model="", key="", reason="", agent="")
    absent = {"status", "first_byte", "response_size", "model", "key", "reason", "tier", "error", "trace_id"}
    assert not fields(unknown).keys() & absent
    assert None not in fields(unknown).values()
    instant = fields(event(decided=0.0, duration=0.0, request_size=0))
    assert (instant["decided"], instant["duration"], instant["request_size"]) == (0, 0, 0)


def test_hits_of_one_answer_say_each_its_own() -> None:
    first = event(**HIT, usage=USED, cost=COST)
    told = [
        first,
        replace(first, id="2", began=2_000_000.0, duration=0.25, decided=0.0, first_byte=None),
        replace(first, id="3", parent=Parent("a" * 32, "b" * 16, 1, "")),
        replace(first, id="4", client="10.0.0.2"),
        first,
    ]
    assert json_lines()(told) == [line for each in told for line in json_lines()([each])]


def test_the_callers_trace_is_named() -> None:
    assert fields(event(parent=Parent("a" * 32, "b" * 16, 1, "")))["trace_id"] == "a" * 32


@pytest.mark.parametrize(
    ("told", "level"),
    [
        (event(), "info"),
        (event(status=429), "warning"),
        (event(error="Client disconnected."), "warning"),
        (event(status=0), "warning"),
    ],
)
def test_a_call_without_an_answer_is_a_warning(told: Event, level: str) -> None:
    [line] = parsed(told)
    assert line["level"] == level


STEERING = "a\r\nb\x1b[31m\x07\x9b2J\u2028\u202e\udc80\x7f"


@pytest.mark.parametrize("name", ["model", "agent", "client", "host", "error", "reason"])
@pytest.mark.parametrize("console", [False, True])
def test_no_client_ends_a_line_or_steers_a_terminal(name: str, console: bool) -> None:
    told = event(**{name: STEERING, "differs": (STEERING,)})
    render = console_lines(colours=False) if console else json_lines()
    [line] = render([told])
    assert line.endswith(b"\n") and line[:-1].decode().isprintable()


@given(st.text())
def test_every_text_can_be_written(text: str) -> None:
    assert plain(text).isprintable() and len(plain(text)) <= LONGEST
    assert plain(text) == text or len(text) > LONGEST or not text.isprintable()


def test_what_is_long_is_cut() -> None:
    long = event(model="m" * 1000, differs=tuple("p" * 1000 for _ in range(1000)))
    found = fields(long)
    assert len(found["model"]) == LONGEST and len(orjson.dumps(found)) < 4096


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Connection refused", "Connection refused"),
        ("Invalid header line: b'x-key: secret'", "Invalid header line"),
        ('bad b"secret" there', "bad"),
        ("the web's end", "the web's end"),
    ],
)
def test_bytes_that_an_error_quotes_are_left_out(said: str, words: str) -> None:
    assert error_words(said) == words


def test_the_console_has_the_word_first_and_one_line_each() -> None:
    events = [event(**HIT, usage=USED, cost=COST), event(model="two words", duration=1.23456)]
    first, second = console_lines(colours=False)(events)
    assert first.split()[1] == b"HIT" and b"tier=memory" in first and b"saved_usd=0.3" in first
    assert b"model='two words'" in second and b"duration=1.235" in second and b"\x1b" not in second
    assert b"\x1b[" in console_lines(colours=True)(events)[0]


def test_a_renderer_keeps_nothing_of_the_last_batch() -> None:
    for render in (json_lines(), console_lines(colours=False)):
        assert (len(render([event()] * 3)), len(render([event()]))) == (3, 1)
