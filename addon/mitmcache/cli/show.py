"""`mitmcache show`: one stored answer."""

import codecs
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from typing import Any

import click

from mitmcache.bundle.records import body, opened_blob
from mitmcache.cache.record import Corrupt, ForeignVersion, Head
from mitmcache.cli import words
from mitmcache.cli.places import places
from mitmcache.cli.where import Failed, Where, Wrong, away, command, opened
from mitmcache.large.records import read_head
from mitmcache.store.base import Blob

SHOWN = 1 << 20
"""Bytes of a body that are shown. All of it: --raw."""
SOME = 10
"""Keys that are named when there are several."""


@click.command()
@click.argument("key")
@click.option("--raw", is_flag=True, help="The body's bytes and nothing else.")
@click.option("--json", "for_programs", is_flag=True, help="What is known of it as one JSON object.")
@places
@command
async def show(confdir: str | None, said: Sequence[str], key: str, raw: bool, for_programs: bool) -> None:
    """Show the answer under KEY: as many of its first digits as tell it from the others."""
    prefix = key.lower()
    if not prefix or len(prefix) > 64 or prefix.strip("0123456789abcdef"):
        raise Wrong(f"KEY: {key!r} is not the beginning of a key: digits 0-9 and a-f")
    async with opened(confdir, said) as where:
        found, place, blob = await _find(where, prefix)
        with closing(opened_blob(blob)) as source:
            try:
                head = read_head(source)
                if head.meta.key != found:
                    raise Corrupt("the record of another key")
                if raw:
                    for piece in body(source, head):
                        sys.stdout.buffer.write(piece)
                elif for_programs:
                    words.as_json(_document(head, place, len(blob)))
                else:
                    _print(head, place, len(blob))
                    _print_body(_start(body(source, head)), head.size)
            except Corrupt as error:
                raise Failed(f"the record {found[:12]} is damaged: {error}") from None
            except ForeignVersion as error:
                raise Failed(f"another mitmcache made the record {found[:12]}: {error}") from None


async def _find(where: Where, prefix: str) -> tuple[str, str, Blob]:
    """The key, where it is, and the record; from the disk, else from the bucket. Fails unless it is one."""
    keys = await where.disk.keys(prefix, SOME + 1)
    if len(keys) == 1 and (blob := await where.disk.get(keys[0])) is not None:
        return keys[0], "the local disk", blob
    if not keys and where.remote:
        names = await away(partial(where.remote.named, prefix, SOME + 1))
        keys = [key for key, _ in names]
        if len(names) == 1:
            found = await away(partial(where.remote.fetch, names[0][1], where.disk.stage))
            if found is not None:
                return keys[0], "the bucket", found
            keys = []
    if len(keys) < 2:
        raise Failed(f"there is no answer whose key begins with {prefix}")
    some = ", ".join(key[: max(12, len(prefix) + 4)] for key in keys[:SOME])
    raise Failed(f"{prefix} is the beginning of several keys: {some}{', ...' if len(keys) > SOME else ''}")


def _document(head: Head, place: str, stored: int) -> dict[str, Any]:
    meta = head.meta
    return {
        "key": meta.key,
        "place": place,
        "provider": meta.provider,
        "host": meta.host,
        "dialect": meta.dialect,
        "model": meta.model,
        "tags": meta.tags,
        "created": meta.created,
        "expires": meta.expires,
        "generation": meta.generation,
        "status": meta.status,
        "headers": meta.headers,
        "bytes": head.size,
        "stored_bytes": stored,
        "coding": head.coding,
    }


def _print(head: Head, place: str, stored: int) -> None:
    meta, now = head.meta, time.time()
    left = meta.expires - now
    ends = f"in {words.age(left)}" if left > 0 else f"{words.age(-left)} ago"
    fields = {
        "key": meta.key,
        "place": place,
        "provider": f"{meta.provider} ({meta.dialect})" + (f" at {meta.host}" if meta.host else ""),
        "model": meta.model,
        "tags": ", ".join(meta.tags),
        "created": f"{words.when(meta.created)} ({words.age(now - meta.created)} ago)",
        "expires": f"{words.when(meta.expires)} ({ends})" if meta.expires else "never",
        "size": f"{words.nbytes(head.size)}, {words.nbytes(stored)} as stored ({head.coding})",
        "status": str(meta.status),
    }
    for name, value in fields.items():
        if value:
            click.echo(f"{name:9} {words.plain(value)}")
    for name, value in meta.headers:
        click.echo(f"  {words.plain(name)}: {words.plain(value)}")
    click.echo()


def _start(pieces: Any) -> bytes:
    start = b""
    for piece in pieces:
        start += piece
        if len(start) > SHOWN:
            break
    return start[:SHOWN]


def _print_body(start: bytes, size: int) -> None:
    """As text, or what there is to say of what is none."""
    cut = size > len(start)
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(start, final=not cut)
    except UnicodeDecodeError:
        click.echo(f"{words.nbytes(size)} that are no text, beginning with {start[:16].hex(' ')}; see --raw")
        return
    click.echo("\n".join(words.plain(line) for line in text.split("\n")).rstrip("\n"))
    if cut:
        click.echo(f"... and {words.nbytes(size - len(start))} more; see --raw")
