"""What the conditions of a command line select."""

from typing import Any

import click
import pytest
from click.testing import CliRunner

from made import KEY
from mitmcache.cli.conditions import conditions, selection
from mitmcache.selection import EVERYTHING, Selection

NOW = 1_000_000.0


def selected(*words: str) -> Selection | str:
    """What the words select, or what is said of them."""
    found: list[Selection] = []

    @click.command()
    @conditions
    def command(**given: Any) -> None:
        found.append(selection(given, NOW))

    done = CliRunner().invoke(command, words)
    return found[0] if found else done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], EVERYTHING),
        (["--model", "gpt-*"], Selection(model="gpt-*")),
        (["--provider", "openai", "--host", "h:1"], Selection(provider="openai", host="h:1")),
        (["--tag", "a b", "--key", KEY], Selection(tag="a b", key=KEY)),
        (["--older", "7d"], Selection(before=NOW - 7 * 86400)),
        (["--older", "90"], Selection(before=NOW - 90)),
        (["--older", "0"], Selection(before=NOW)),
    ],
)
def test_conditions_are_what_they_say(words: list[str], expected: Selection) -> None:
    assert selected(*words) == expected


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--older", "soon"], "--older"),
        (["--older", "-1"], "--older"),
        (["--key", KEY[:-1]], "--key"),
        (["--key", KEY.upper()], "--key"),
        (["--model"], "--model"),
    ],
)
def test_a_wrong_value_names_its_option(words: list[str], named: str) -> None:
    assert named in str(selected(*words))
