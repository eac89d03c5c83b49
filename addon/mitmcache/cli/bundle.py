"""`mitmcache export` and `mitmcache import`: records, in one file."""

import contextlib
import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click

from mitmcache.bundle.exporting import add
from mitmcache.bundle.file import BadBundle, BundleWriter, read_bundle
from mitmcache.bundle.importing import Counted, Importer
from mitmcache.cache.record import Corrupt, ForeignVersion
from mitmcache.cli import words
from mitmcache.cli.conditions import Age, conditions, selection
from mitmcache.cli.places import places
from mitmcache.cli.where import Failed, command, opened


@click.command("export")
@click.argument("file")
@conditions
@places
@command
async def export_bundle(confdir: str | None, said: Sequence[str], file: str, **given: Any) -> None:
    """Write what this machine keeps, or what the conditions select of it, to FILE (- for stdout).

    FILE is a tar, for `mitmcache import`. What has been purged is left out.
    """
    selected = selection(given, time.time())
    async with opened(confdir, said) as where:
        known = await where.generations()
        keys = sorted([row.key async for row in where.rows(selected) if known.valid(row.key, row.about)])
        with _target(file) as target:
            writer = BundleWriter(target)
            left_out: Counter[str] = Counter()
            size = 0
            for key in keys:
                try:
                    size += await add(writer, where.disk, key)
                except (Corrupt, ForeignVersion) as error:
                    left_out[str(error)] += 1
            writer.close()
    done = len(keys) - left_out.total()
    click.echo(f"{words.entries(done)} exported, {words.nbytes(size)}", err=True)
    for reason, number in left_out.items():
        click.echo(f"{words.entries(number)} left out: {reason}", err=True)


@contextlib.contextmanager
def _target(file: str) -> Iterator[BinaryIO]:
    """Under a name of its own until it is whole."""
    if file == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(file)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        part.replace(path)
    except OSError as error:
        raise Failed(f"{file}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)


@click.command("import")
@click.argument("file")
@click.option("--replace", is_flag=True, help="Also where there is an answer already.")
@click.option("--ttl", type=Age(), metavar="AGE", help="Fresh for so long from now: `30d`; `0` for ever.")
@places
@command
async def import_bundle(
    confdir: str | None, said: Sequence[str], file: str, replace: bool, ttl: float | None
) -> None:
    """Take in the records of FILE (- for stdin), which `mitmcache export` has written.

    What is there already is kept. With a bucket, the proxy uploads what is new.
    """
    expires = None if ttl is None else time.time() + ttl if ttl else 0.0
    damage = ""
    async with opened(confdir, said, uploads=True) as where:
        known = await where.generations(shared=True)
        importer = Importer(where.disk, known, time.time(), replace=replace, expires=expires)
        with _source(file) as source:
            try:
                for part in read_bundle(source):
                    await importer.take(part)
            except BadBundle as error:
                damage = str(error)
            finally:
                counted = await importer.finish()
        waiting = where.settings.store if counted.imported else None
    _tell(counted, str(waiting or ""))
    if damage:
        raise Failed(f"{file}: {damage}; what is whole has been imported")
    if counted.refused or counted.lost:
        raise Failed(f"{file}: not all of it could be imported")


def _tell(counted: Counted, waiting: str) -> None:
    refused = counted.refused.total()
    kept = f", {counted.there:,} already there" if counted.there else ""
    click.echo(
        f"{words.entries(counted.imported)} imported{kept}" + (f", {refused:,} refused" if refused else "")
    )
    if counted.expired:
        click.echo(f"{words.entries(counted.expired)} of them had expired: --ttl makes them fresh again")
    if waiting:
        click.echo(f"to be uploaded to {waiting} by the proxy")
    for reason, number in counted.refused.most_common():
        first = words.plain(counted.first[reason])
        click.echo(f"{words.entries(number)} refused, the first {first}: {reason}", err=True)
    if counted.lost:
        click.echo(f"{words.entries(counted.lost)} could not be written to the disk", err=True)


@contextlib.contextmanager
def _source(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(file).open("rb") as source:
            yield source
    except OSError as error:
        raise Failed(f"{file}: {error.strerror or error}") from None
