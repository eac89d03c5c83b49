"""Sizes, ages and tables for people."""

import json
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

_AGES = ((86400 * 7, "w"), (86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def nbytes(amount: float) -> str:
    """`512 B`, `1.5 KiB`, `23 MiB`: two digits at least."""
    units = ["TiB", "GiB", "MiB", "KiB", "B"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1024
        units.pop()
    return f"{amount:.1f} {units[-1]}" if amount < 10 and units[-1] != "B" else f"{amount:.0f} {units[-1]}"


def age(seconds: float) -> str:
    """`12s`, `5m`, `3h`, `9d`, `6w`: what has gone by, rounded down."""
    for size, unit in _AGES:
        if seconds >= size * (2 if unit == "w" else 1):
            return f"{int(seconds // size)}{unit}"
    return "now" if seconds > -1 else f"in {age(-seconds)}"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 entry`, `1,234 entries`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def entries(number: int) -> str:
    return count(number, "entry", "entries")


def when(unix: float) -> str:
    """In UTC, to the second."""
    try:
        return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{unix}"


def plain(text: str) -> str:
    """What an upstream or a client has named, without what could steer a terminal."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if c != "\t" and unicodedata.category(c)[0] == "C" else c for c in text
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: frozenset[int] = frozenset()) -> str:
    """Columns as wide as they need to be; those of the indices in `right` end flush."""
    lines = [list(head), *([plain(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def as_json(document: Any) -> None:
    """On one line, for programs."""
    click.echo(json.dumps(document, separators=(", ", ": ")))
