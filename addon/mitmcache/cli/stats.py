"""`mitmcache stats`: how much is kept, of what, and how the bucket is; or what calls have used and cost."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import click

from mitmcache.cli import spent, words
from mitmcache.cli.places import places
from mitmcache.cli.session import session
from mitmcache.cli.where import Where, away, command, opened
from mitmcache.selection import EVERYTHING
from mitmcache.store.base import StoreError
from mitmcache.store.browse import Row

CHECK_SECONDS = 10.0

type Group = tuple[str, str]
"""Provider and model."""


@dataclass(slots=True)
class Summary:
    """Bytes are those of the records. `oldest` and `newest` in Unix seconds, None where there is none."""

    entries: Counter[Group] = field(default_factory=Counter)
    bytes: Counter[Group] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    waiting_bytes: Counter[str] = field(default_factory=Counter)
    expired: int = 0
    purged: int = 0
    oldest: float | None = None
    newest: float | None = None

    def add(self, row: Row, now: float, *, valid: bool) -> None:
        group = (row.about.provider, row.about.model)
        self.entries[group] += 1
        self.bytes[group] += row.size
        if row.dirty:
            self.waiting[row.dirty] += 1
            self.waiting_bytes[row.dirty] += row.size
        self.purged += not valid
        self.expired += valid and 0 < row.expires <= now
        created = row.about.created
        self.oldest = created if self.oldest is None else min(self.oldest, created)
        self.newest = created if self.newest is None else max(self.newest, created)


@click.command()
@click.option("--top", type=click.IntRange(min=1), default=20, show_default=True, help="So many models.")
@click.option(
    "--since", metavar="AGE", help="What calls have used and cost: in the last `12h`, `7d`; `0`: in all."
)
@click.option("--by", type=click.Choice(spent.BYS), help="The same by model (the default), or another.")
@click.option("--bucket", is_flag=True, help="Count what the bucket has, too: it is listed for that.")
@click.option("--json", "for_programs", is_flag=True, help="All of it as one JSON object.")
@places
@command
async def stats(
    confdir: str | None,
    said: Sequence[str],
    top: int,
    since: str | None,
    by: str | None,
    bucket: bool,
    for_programs: bool,
) -> None:
    """Show how much is kept, of what, and what waits for its upload.

    With --since or --by: the calls of the last time, and what they have used and cost. `billed` are those
    that went upstream, `saved` those answered from the cache, `served` what callers got of both.
    """
    if since or by:
        found = await spent.spent(session(confdir, said).settings.data_dir, since, by)
        if for_programs:
            words.as_json(spent.as_json(found))
        else:
            spent.show(found, since, top)
        return
    now = time.time()
    async with opened(confdir, said) as where:
        known = await where.generations()
        summary = Summary()
        async for row in where.rows(EVERYTHING):
            summary.add(row, now, valid=known.valid(row.key, row.about))
        remote = await _remote(where, count=bucket)
    document = {
        "folder": str(where.settings.data_dir),
        "entries": summary.entries.total(),
        "bytes": summary.bytes.total(),
        "expired": summary.expired,
        "purged": summary.purged,
        "oldest": summary.oldest,
        "newest": summary.newest,
        "models": [
            {"provider": group[0], "model": group[1], "entries": number, "bytes": summary.bytes[group]}
            for group, number in summary.entries.most_common()
        ],
        "waiting": [
            {"bucket": name, "entries": number, "bytes": summary.waiting_bytes[name]}
            for name, number in summary.waiting.items()
        ],
        "purges": [{"select": s.as_json(), "generation": n} for s, n in known.purges.items()],
        "floor": known.floor,
        "bucket": remote,
    }
    if for_programs:
        words.as_json(document)
    else:
        _print(document, top, now)


async def _remote(where: Where, *, count: bool) -> dict[str, Any] | None:
    """How the bucket is; None when there is none."""
    if where.remote is None:
        return None
    found: dict[str, Any] = {
        "name": str(where.settings.store),
        "sealed": bool(where.remote.seal),
        "error": None,
    }
    try:
        await away(partial(where.remote.objects.check, deadline=CHECK_SECONDS))
        if count:
            found["entries"], found["bytes"] = await away(where.remote.count)
    except StoreError as error:
        found["error"] = str(error)
    return found


def _print(document: dict[str, Any], top: int, now: float) -> None:
    click.echo(
        f"{document['folder']}: {words.entries(document['entries'])}, {words.nbytes(document['bytes'])}"
    )
    if document["entries"]:
        newest, oldest = (words.age(now - document[name]) for name in ("newest", "oldest"))
        gone = [f"{document[name]:,} {name}" for name in ("expired", "purged") if document[name]]
        click.echo("; ".join([f"the newest {newest} old, the oldest {oldest}", *gone]))
        lines = [
            (each["provider"], each["model"], f"{each['entries']:,}", words.nbytes(each["bytes"]))
            for each in document["models"][:top]
        ]
        click.echo()
        click.echo(words.table(("PROVIDER", "MODEL", "ENTRIES", "SIZE"), lines, right=frozenset({2, 3})))
        if (more := len(document["models"]) - top) > 0:
            click.echo(f"and {words.count(more, 'model')} more; see --top")
        click.echo()
    for each in document["waiting"]:
        amount = f"{words.entries(each['entries'])}, {words.nbytes(each['bytes'])}"
        click.echo(f"waiting for {each['bucket']}: {amount}")
    if purges := len(document["purges"]) + bool(document["floor"]):
        click.echo(f"purges in force: {purges}")
    if remote := document["bucket"]:
        state = remote["error"] or f"the bucket {remote['name']} can be reached"
        if "entries" in remote:
            state += f"; {words.entries(remote['entries'])}, {words.nbytes(remote['bytes'])}"
        click.echo(state)
