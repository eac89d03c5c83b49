"""`mitmcache ls`: what is kept, one line each."""

import heapq
import time
from collections.abc import Sequence
from itertools import islice
from typing import Any

import click

from mitmcache.cache.generations import Generations
from mitmcache.cli import words
from mitmcache.cli.conditions import conditions, selection
from mitmcache.cli.places import places
from mitmcache.cli.where import Where, away, command, opened
from mitmcache.selection import Selection
from mitmcache.store.browse import Row

SHOWN = 12
"""Digits of a key, for people: `show` finds it by them."""
PRUNED = 10_000
_HEAD = ("KEY", "AGE", "SIZE", "STATE", "PROVIDER", "MODEL", "TAGS")
_BUCKET_HEAD = ("NAME", "AGE", "SIZE")


@click.command()
@conditions
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")
@click.option("--bucket", is_flag=True, help="What the bucket has; the age is that of the upload.")
@click.option("--json", "for_programs", is_flag=True, help="One JSON object per line.")
@places
@command
async def ls(
    confdir: str | None, said: Sequence[str], limit: int, bucket: bool, for_programs: bool, **given: Any
) -> None:
    """List what is kept, the newest first. Conditions combine."""
    now = time.time()
    selected = selection(given, now)
    async with opened(confdir, said) as where:
        if bucket:
            await _bucket(where, selected, limit, now, for_programs)
            return
        known = await where.generations()
        newest, total = await _newest(where, selected, limit)
    if for_programs:
        for row in newest:
            words.as_json(_document(row, state(row, known, now)))
        return
    lines = [_line(row, state(row, known, now), now) for row in newest]
    _show(_HEAD, lines, total)


def state(row: Row, known: Generations, now: float) -> str:
    """`purged` and `expired` are misses; `waiting` is for its upload."""
    if not known.valid(row.key, row.about):
        return "purged"
    if 0 < row.expires <= now:
        return "expired"
    return "waiting" if row.dirty else "fresh"


async def _newest(where: Where, selected: Selection, limit: int) -> tuple[list[Row], int]:
    """And how many there are."""
    total = 0
    newest: list[Row] = []
    async for row in where.rows(selected):
        total += 1
        newest.append(row)
        if len(newest) > limit + PRUNED:
            newest = heapq.nsmallest(limit, newest, key=_newest_first)
    return heapq.nsmallest(limit, newest, key=_newest_first), total


def _newest_first(row: Row) -> tuple[float, str]:
    return -row.about.created, row.key


def _document(row: Row, state: str) -> dict[str, Any]:
    return {
        "key": row.key,
        "provider": row.about.provider,
        "host": row.about.host,
        "model": row.about.model,
        "tags": row.about.tags,
        "created": row.about.created,
        "expires": row.expires,
        "used": row.used,
        "bytes": row.size,
        "state": state,
        "upload": row.dirty or None,
    }


def _line(row: Row, state: str, now: float) -> tuple[str, ...]:
    tags = ",".join(row.about.tags)
    age, size = words.age(now - row.about.created), words.nbytes(row.size)
    return (row.key[:SHOWN], age, size, state, row.about.provider, row.about.model, tags)


def _show(head: Sequence[str], lines: Sequence[Sequence[str]], total: int) -> None:
    if lines:
        click.echo(words.table(head, lines, right=frozenset({1, 2})))
    if total > len(lines) or not lines:
        click.echo(f"{len(lines)} of {words.entries(total)}; --limit shows more" if lines else "nothing")


async def _bucket(where: Where, selected: Selection, limit: int, now: float, for_programs: bool) -> None:
    """In the listing's order: a bucket is too large to be sorted."""
    found = await away(lambda: list(islice(where.bucket().matching(selected), limit + 1)))
    for listed in found[:limit] if for_programs else ():
        words.as_json({"name": listed.name, "bytes": listed.size, "uploaded": listed.modified})
    if for_programs:
        return
    lines = [(o.name, words.age(now - o.modified), words.nbytes(o.size)) for o in found[:limit]]
    click.echo(words.table(_BUCKET_HEAD, lines, right=frozenset({1, 2})) if lines else "nothing")
    if len(found) > limit:
        click.echo("and more; --limit shows more")
