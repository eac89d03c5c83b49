"""`mitmcache explain`: the last misses, with and without a running proxy."""

import json
import time

import pytest

from cli.console import KEYS, Console
from mitmcache.store.misses import KEPT, Miss


def missed(number: int, *places: str, why: str = "uri-miss", nearest: str = KEYS[9]) -> Miss:
    at = time.time() - 3570 + number  # half a minute on each side of what is said to be 59 minutes
    return Miss(at, KEYS[number], "api.made.example", f"m-{number}", why, nearest, places)


def note(console: Console, *misses: Miss) -> None:
    console.disk(lambda disk: disk.note(list(misses)))


@pytest.mark.parametrize("words", [(), ("last",)])
def test_the_last_one_is_explained(console: Console, words: tuple[str, ...]) -> None:
    note(console, missed(0), missed(1, "messages[0].content", "trace.run"))
    lines = console.ok("explain", *words).splitlines()
    assert lines[0] == f"key       {KEYS[1]}"
    assert lines[1].startswith("when      ") and lines[1].endswith("(59m ago)")
    assert lines[2:] == [
        "host      api.made.example",
        "model     m-1",
        "why       no stored request is the same",
        f"nearest   {KEYS[9]}",
        "differs   messages[0].content",
        "          trace.run",
    ]


def test_one_is_found_by_the_beginning_of_its_key(console: Console) -> None:
    note(console, *(missed(number) for number in range(3)))
    assert f"key       {KEYS[1]}\n" in console.ok("explain", KEYS[1][:6].upper())


@pytest.mark.parametrize(
    ("why", "told"),
    [
        ("stale", "expired"),
        ("request", "asked for a new answer"),
        ("this-run", "llm_serve=earlier-runs"),
        ("variant-2-of-3", "variant-2-of-3"),
    ],
)
def test_why_is_told_in_words(console: Console, why: str, told: str) -> None:
    note(console, missed(0, why=why))
    assert told in console.ok("explain")


def test_where_there_is_nothing_to_compare_with_that_is_said(console: Console) -> None:
    note(console, missed(0, nearest=""))
    said = console.ok("explain")
    assert "nothing is stored of this credential and host" in said and "nearest" not in said


def test_several_are_listed(console: Console) -> None:
    note(console, missed(0), missed(1, "a", "b", "c", "d"), missed(2, "a\x1b"))
    lines = console.ok("explain", "-n", "2").splitlines()
    assert [line.split()[0] for line in lines] == ["KEY", KEYS[2][:12], KEYS[1][:12]]
    assert lines[2].endswith("a, b, c and 1 more") and "\x1b" not in lines[1]


def test_a_program_gets_an_object_for_each(console: Console) -> None:
    note(console, missed(0, nearest=""), missed(1, "a"))
    found = [json.loads(line) for line in console.ok("explain", "--json", "-n", "5").splitlines()]
    assert [(each["key"], each["nearest"], each["differs"]) for each in found] == [
        (KEYS[1], KEYS[9], ["a"]),
        (KEYS[0], None, []),
    ]


@pytest.mark.parametrize(("key", "code"), [("last", 1), ("ab", 1), ("xyz", 2), ("1" * 65, 2)])
def test_what_is_not_there_is_told(console: Console, key: str, code: int) -> None:
    assert str(KEPT) in console.fails("explain", key, code=code) or code == 2
