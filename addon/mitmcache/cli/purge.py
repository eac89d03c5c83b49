"""`mitmcache purge`: what has been stored so far becomes a miss, for everybody at once, and then goes."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import click

from mitmcache.cli import words
from mitmcache.cli.conditions import conditions, selection
from mitmcache.cli.places import places
from mitmcache.cli.where import Failed, Where, Wrong, away, command, opened
from mitmcache.purge import Purger, sweep
from mitmcache.selection import EVERYTHING, Selection
from mitmcache.store.base import StoreError

TOP = 10
"""Models that are named."""


@dataclass(slots=True)
class Matching:
    """`bucket` is None where there is none, or it was not counted."""

    models: Counter[tuple[str, str]] = field(default_factory=Counter)
    bytes: int = 0
    bucket: int | None = None

    @property
    def local(self) -> int:
        return self.models.total()


@click.command()
@conditions
@click.option("--all", "everything", is_flag=True, help="Everything.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@places
@command
async def purge(
    confdir: str | None, said: Sequence[str], everything: bool, dry_run: bool, yes: bool, **given: Any
) -> None:
    """Make stored answers misses, for all who share them, and delete them.

    Conditions combine: an answer goes if all of them hold.
    """
    now = time.time()
    selected = selection(given, now)
    if everything == (selected != EVERYTHING):
        raise Wrong("which answers? Give at least one condition (see --help), or --all and none")
    if not (dry_run or yes or _attended()):
        raise Wrong("--yes is needed where nobody can be asked")
    async with opened(confdir, said) as where:
        found = await _count(where, selected, now)
        _tell(where, found)
        if dry_run:
            return
        if not yes:
            click.confirm("purge?", abort=True)
        n, untold = await _purge(where, selected, now)
        await _delete_here(where, selected, n, found)
        if untold:
            raise Failed(f"purged on this machine alone: {untold}; the bucket is told when it works")
        if where.remote:
            await _delete_there(where, selected, n, found)


def _attended() -> bool:
    return sys.stdin.isatty()


async def _count(where: Where, selected: Selection, now: float) -> Matching:
    """What there is of it. A bucket that cannot be asked is an error only when it is to be purged."""
    found = Matching()
    async for row in where.rows(selected):
        found.models[row.about.provider, row.about.model] += 1
        found.bytes += row.size
    if where.remote:
        try:
            found.bucket = await away(partial(_sweep, where, selected, int(now * 1000), dry_run=True))
        except StoreError as error:
            click.echo(f"not counted: {error}", err=True)
    return found


def _tell(where: Where, found: Matching) -> None:
    size = f", {words.nbytes(found.bytes)}" if found.local else ""
    click.echo(f"local disk: {words.entries(found.local)}{size}")
    for (provider, model), number in found.models.most_common(TOP):
        click.echo(f"  {number:,} {words.plain(f'{provider} {model}'.strip()) or 'of an older mitmcache'}")
    if (more := len(found.models) - TOP) > 0:
        click.echo(f"  and {words.count(more, 'model')} more")
    if found.bucket is not None:
        click.echo(f"{where.settings.store}: {words.entries(found.bucket)}")


async def _purge(where: Where, selected: Selection, now: float) -> tuple[int, StoreError | None]:
    """The logical purge: its n, and why the bucket does not have it."""
    remote = where.remote
    untold: StoreError | None = None
    purger = Purger(where.disk, remote, remote.seal if remote else None)
    try:
        n = await purger.purge(selected)
    except ValueError as error:
        raise Wrong(str(error)) from None
    except StoreError as error:
        untold = error
        n = (await where.generations()).number(selected)
        if n < int(now * 1000):  # it is an older one's
            raise Failed(f"nothing was purged for sure: {error}") from None
    finally:
        await purger.close()
    shared = ", for all who share the bucket" if remote and not untold else ""
    click.echo(f"purged: misses from now on{shared}")
    return n, untold


async def _delete_here(where: Where, selected: Selection, n: int, found: Matching) -> None:
    with _bar("local disk", found.local) as progress:
        deleted = await where.disk.remove(selected, progress, generation=n)
    click.echo(f"local disk: {words.entries(deleted)} deleted")


async def _delete_there(where: Where, selected: Selection, n: int, found: Matching) -> None:
    deleted = 0

    def count(number: int) -> None:
        nonlocal deleted
        deleted += number
        progress(number)

    try:
        with _bar("bucket", found.bucket or 0) as progress:
            await away(partial(_sweep, where, selected, n, count))
    except StoreError as error:
        raise Failed(
            f"all of it is purged, but of the bucket only {words.entries(deleted)} could be deleted: "
            f"{error}; the same purge again deletes the rest"
        ) from None
    click.echo(f"{where.settings.store}: {words.entries(deleted)} deleted")


def _sweep(
    where: Where,
    selected: Selection,
    n: int,
    progress: Callable[[int], None] | None = None,
    *,
    dry_run: bool = False,
) -> int:
    remote = where.bucket()
    return sweep(remote.objects, remote.names, remote.seal, selected, n, progress, dry_run=dry_run)


@contextmanager
def _bar(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """Shown on a terminal, and nowhere else."""
    if not sys.stderr.isatty() or length == 0:
        yield lambda number: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update
