"""`mitmcache stats --since 7d --by model`: what calls have used, cost and saved, from the history."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import click

from mitmcache.cli import words
from mitmcache.cli.where import Wrong
from mitmcache.journal.history import History, Summed
from mitmcache.journal.ledgers import By, Ledgers, Sums, dollars
from mitmcache.units import age

BYS: tuple[By, ...] = get_args(By.__value__)
SINCE = "7d"
CLOSE = 5.0


@dataclass(frozen=True, slots=True)
class Spent:
    """`groups` in the order of `by`: days and hours as they come, all else the most calls first."""

    by: By
    since: float
    until: float
    total: Ledgers
    groups: list[Summed]


async def spent(folder: Path, since: str | None, by: str | None) -> Spent:
    """Needs no proxy. Raises StoreError, and exits where `since` is no duration."""
    try:
        seconds = age(since or SINCE)
    except ValueError as error:
        raise Wrong(f"--since: {error}") from None
    until = time.time()
    start = until - seconds if seconds else 0.0
    chosen = next((each for each in BYS if each == by), BYS[0])
    history = History(folder, 0)
    try:
        groups = await history.sums(start, until, chosen)
    finally:
        await history.close(CLOSE)
    total = Ledgers()
    for each in groups:
        total.join(each.ledgers)
    if chosen not in ("day", "hour"):
        groups.sort(key=lambda each: -_calls(each.ledgers))
    return Spent(chosen, start, until, total, groups)


def as_json(found: Spent) -> dict[str, Any]:
    """Times in Unix seconds. An unknown price is in no sum: the calls of which it is are counted beside."""
    return {
        "since": found.since,
        "until": found.until,
        "by": found.by,
        "total": found.total.as_json(),
        "groups": [{found.by: each.group, **each.ledgers.as_json()} for each in found.groups],
    }


def show(found: Spent, since: str | None, top: int) -> None:
    total, span = found.total, f"in the last {since or SINCE}" if found.since else "in all"
    if not found.groups:
        click.echo(f"no calls {span}")
        return
    share = f", {total.hit_ratio:.1%} hits" if total.hit_ratio is not None else ""
    click.echo(f"{span}: {words.count(total.served.calls, 'call')} served{share}")
    for name in ("billed", "served", "saved"):
        click.echo(f"{name:6}  {_line(getattr(total, name))}")
    if total.billed.cache_savings:
        click.echo(f"the providers' prompt caches have saved {dollars(total.billed.cache_savings)} more")
    click.echo()
    head = (
        found.by.upper(),
        "BILLED",
        "SAVED",
        "INPUT",
        "OUTPUT",
        "CACHED",
        "COST",
        "SAVED COST",
        "UNPRICED",
    )
    shown = found.groups if found.by in ("day", "hour") else found.groups[:top]
    lines = [(_name(found.by, each.group), *_cells(each.ledgers)) for each in shown]
    click.echo(words.table(head, lines, right=frozenset(range(1, len(head)))))
    if (more := len(found.groups) - len(shown)) > 0:
        click.echo(f"and {more:,} more; see --top")


def _line(sums: Sums) -> str:
    parts = [
        words.count(sums.calls, "call"),
        f"{sums.input_tokens:,} tokens in",
        f"{sums.output_tokens:,} out",
        sums.money,
    ]
    if sums.unknown_usage:
        parts.append(f"{words.count(sums.unknown_usage, 'call')} of unknown usage")
    return ", ".join(parts)


def _cells(ledgers: Ledgers) -> tuple[str, ...]:
    """Tokens of what was billed, and what the provider read of them from its own cache."""
    billed, saved = ledgers.billed, ledgers.saved
    tokens = (billed.input_tokens, billed.output_tokens, billed.cache_read_input_tokens)
    unpriced = billed.unknown_price + saved.unknown_price
    return (
        *(f"{number:,}" for number in (billed.calls, saved.calls, *tokens)),
        *(_money(sums) for sums in (billed, saved)),
        f"{unpriced:,}" if unpriced else "",
    )


def _money(sums: Sums) -> str:
    return "?" if sums.calls and sums.calls == sums.unknown_price else dollars(sums.dollars)


def _name(by: By, group: str) -> str:
    if by == "day":
        return datetime.fromtimestamp(int(group), UTC).strftime("%Y-%m-%d")
    if by == "hour":
        return datetime.fromtimestamp(int(group), UTC).strftime("%Y-%m-%d %H:00Z")
    return group or "(none)"


def _calls(ledgers: Ledgers) -> int:
    return ledgers.billed.calls + ledgers.saved.calls
