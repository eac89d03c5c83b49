"""The conditions that `purge`, `ls` and `export` have in common."""

import re
from collections.abc import Callable
from typing import Any

import click

from mitmcache.selection import Selection
from mitmcache.units import age

KEY = re.compile(r"[0-9a-f]{64}")


class Age(click.ParamType[float]):
    """`7d` -> seconds."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return age(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Key(click.ParamType[str]):
    name = "key"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not KEY.fullmatch(value):
            self.fail(f"{value!r} is not a key: 64 digits 0-9 and a-f", param, ctx)
        return str(value)


_OPTIONS = (
    click.option("--model", metavar="GLOB", help="Answers of these models: `gpt-4o*`."),
    click.option("--provider", metavar="NAME", help="Answers of this provider: `anthropic`."),
    click.option("--host", metavar="HOST", help="Answers of this host."),
    click.option("--older", type=Age(), metavar="AGE", help="Answers older than this: `90s`, `12h`, `7d`."),
    click.option("--tag", metavar="TAG", help="Answers that carry this tag."),
    click.option("--key", type=Key(), metavar="KEY", help="The answer under this key."),
)


def conditions[F: Callable[..., Any]](command: F) -> F:
    """Adds the options; their values come as keyword arguments, for `selection`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def selection(given: dict[str, Any], now: float) -> Selection:
    """`given` is what `conditions` has added. All that are given must hold."""
    older = given["older"]
    return Selection(
        provider=given["provider"],
        host=given["host"],
        model=given["model"],
        tag=given["tag"],
        key=given["key"],
        before=None if older is None else now - older,
    )
