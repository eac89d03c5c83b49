"""`mitmcache explain`: why calls were not answered from the cache."""

import time
from collections.abc import Sequence
from typing import Any

import click

from mitmcache.cli import words
from mitmcache.cli.places import places
from mitmcache.cli.where import Failed, Wrong, command, opened
from mitmcache.store.misses import KEPT, Miss

DIGITS = 12
LAST = "last"
_WHY = {
    "uri-miss": "no stored request is the same",
    "stale": "the stored answer has expired",
    "request": "the caller, or llm_mode=refresh, asked for a new answer",
    "miss": "the stored answer may not be used",
    "this-run": "llm_serve=earlier-runs, and this run has stored the answer itself",
}


@click.command()
@click.argument("key", default=LAST, metavar=f"[KEY|{LAST}]")
@click.option("-n", "--number", type=click.IntRange(1, KEPT), help="List so many, the latest first.")
@click.option("--json", "for_programs", is_flag=True, help="One JSON object per line.")
@places
@command
async def explain(
    confdir: str | None, said: Sequence[str], key: str, number: int | None, for_programs: bool
) -> None:
    """Explain the last miss, or the last one whose key begins with KEY: the nearest stored request, and the
    places in which it differs."""
    prefix = "" if key == LAST else key.lower()
    if len(prefix) > 64 or prefix.strip("0123456789abcdef"):
        raise Wrong(f"KEY: {key!r} is neither {LAST} nor the beginning of a key: digits 0-9 and a-f")
    async with opened(confdir, said) as where:
        found = await where.disk.missed(prefix, number or 1)
    if not found:
        of = f" of a key that begins with {prefix}" if prefix else ""
        raise Failed(f"there is no miss{of} among the last {KEPT}")
    if for_programs:
        for miss in found:
            words.as_json(_document(miss))
    elif number:
        click.echo(words.table(("KEY", "AGE", "HOST", "MODEL", "NEAREST", "DIFFERS IN"), map(_line, found)))
    else:
        _print(found[0])


def _document(miss: Miss) -> dict[str, Any]:
    return {
        "key": miss.key,
        "at": miss.at,
        "host": miss.host,
        "model": miss.model,
        "why": miss.why,
        "nearest": miss.nearest or None,
        "differs": miss.places,
    }


def _line(miss: Miss) -> tuple[str, ...]:
    differs = ", ".join(miss.places[:3]) + (f" and {len(miss.places) - 3} more" if miss.places[3:] else "")
    age = words.age(time.time() - miss.at)
    return miss.key[:DIGITS], age, miss.host, miss.model, miss.nearest[:DIGITS], differs or f"({miss.why})"


def _print(miss: Miss) -> None:
    why = _WHY.get(miss.why, miss.why)
    if not miss.nearest:
        why += "; nothing is stored of this credential and host to compare with"
    fields = {
        "key": miss.key,
        "when": f"{words.when(miss.at)} ({words.age(time.time() - miss.at)} ago)",
        "host": miss.host,
        "model": miss.model,
        "why": why,
        "nearest": miss.nearest,
    }
    for name, value in fields.items():
        if value:
            click.echo(f"{name:9} {words.plain(value)}")
    for index, place in enumerate(miss.places):
        click.echo(f"{'' if index else 'differs':9} {words.plain(place)}")
