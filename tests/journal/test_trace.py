import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.journal.trace import LONGEST_PARENT, LONGEST_STATE, MOST_MEMBERS, Parent, parent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{SPAN}-01"

PARENTS = [
    ("sampled", [GOOD], 1),
    ("not sampled", [f"00-{TRACE}-{SPAN}-00"], 0),
    ("flags of a later level", [f"00-{TRACE}-{SPAN}-03"], 3),
    ("with white space around it", [f" {GOOD}\t"], 1),
    ("of a later version", [f"cc-{TRACE}-{SPAN}-01"], 1),
    ("of a later version, with more", [f"cc-{TRACE}-{SPAN}-01-what-else"], 1),
]


@pytest.mark.parametrize(("values", "flags"), [pytest.param(*case[1:], id=case[0]) for case in PARENTS])
def test_a_callers_span(values: list[str], flags: int) -> None:
    assert parent(values) == Parent(TRACE, SPAN, flags, "")


NONE = [
    ("none", []),
    ("two", [GOOD, GOOD]),
    ("empty", [""]),
    ("capitals", [GOOD.upper()]),
    ("no trace id", [f"00-{'0' * 32}-{SPAN}-01"]),
    ("no span id", [f"00-{TRACE}-{'0' * 16}-01"]),
    ("the forbidden version", [f"ff-{TRACE}-{SPAN}-01"]),
    ("version 0 with more", [f"{GOOD}-01"]),
    ("version 0, a longer flag", [f"{GOOD}0"]),
    ("a later version, a longer flag", [f"cc-{TRACE}-{SPAN}-01.more"]),
    ("a short trace id", [f"00-{TRACE[1:]}-{SPAN}-01"]),
    ("a short span id", [f"00-{TRACE}-{SPAN[1:]}-01"]),
    ("no flags", [f"00-{TRACE}-{SPAN}"]),
    ("not hex", [f"00-{TRACE[:-1]}g-{SPAN}-01"]),
    ("other digits", [f"00-{TRACE[:-1]}\N{ARABIC-INDIC DIGIT ONE}-{SPAN}-01"]),
    ("a line more", [f"{GOOD}\n"]),
    ("too long", [f"cc-{TRACE}-{SPAN}-01-{'x' * LONGEST_PARENT}"]),
]


@pytest.mark.parametrize("values", [pytest.param(case[1], id=case[0]) for case in NONE])
def test_what_is_no_callers_span(values: list[str]) -> None:
    assert parent(values, ["a=1"]) is None


STATES = [
    ("one", ["a=1"], "a=1"),
    ("of several tenants", ["t@v=1,rojo=00f067aa0ba902b7"], "t@v=1,rojo=00f067aa0ba902b7"),
    ("several headers are one list", ["a=1", "b=2"], "a=1,b=2"),
    ("empty members", ["a=1,, b=2 ,"], "a=1,b=2"),
    ("the most", [",".join(f"k{n}=1" for n in range(MOST_MEMBERS))], None),
    ("too many", [",".join(f"k{n}=1" for n in range(MOST_MEMBERS + 1))], ""),
    ("a key twice", ["a=1,a=2"], ""),
    ("a capital in a key", ["A=1"], ""),
    ("no value", ["a="], ""),
    ("no key", ["=1"], ""),
    ("no equals sign", ["a"], ""),
    ("two equals signs", ["a=1=2"], ""),
    ("a line more", ["a=1\nb=2"], ""),
    ("too long", [f"a={'1' * LONGEST_STATE}"], ""),
    ("a value too long", [f"a={'1' * 257}"], ""),
]


@pytest.mark.parametrize(("values", "expected"), [pytest.param(*case[1:], id=case[0]) for case in STATES])
def test_a_state_that_is_none_is_left_out_alone(values: list[str], expected: str | None) -> None:
    found = parent([GOOD], values)
    assert found and found.state == (values[0] if expected is None else expected)


@given(st.text(), st.text())
def test_whatever_is_said_is_read(traceparent: str, tracestate: str) -> None:
    assert parent([traceparent], [tracestate]) is None or traceparent.count("-") >= 3
    found = parent([GOOD], [tracestate])
    assert found and found.state.isprintable()
