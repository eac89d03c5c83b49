"""`mitmcache bucket init`: checks a bucket, and has it collect what has long expired."""

import json
import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from mitmcache.cli.places import places
from mitmcache.cli.where import Failed, away, command, opened
from mitmcache.settings import Settings
from mitmcache.store.base import StoreError
from mitmcache.store.location import Location
from mitmcache.store.names import ENTRIES, SEALED
from mitmcache.store.s3 import Fetched, Objects
from mitmcache.store.s3_errors import BucketError, Kind

SPARE_DAYS = 7
DAY = 86400
SECONDS = 30.0
CHECK = "v1/control/check"
_RULE = "mitmcache-"

type Rule = dict[str, Any]


@click.group()
def bucket() -> None:
    """Set up the bucket that machines share."""


@bucket.command()
@click.option("--create", is_flag=True, help="Create the bucket if it is not there.")
@click.option(
    "--days",
    type=click.IntRange(1, 36500),
    metavar="N",
    help=f"The bucket deletes what was uploaded so long ago. Default: llm_ttl and {SPARE_DAYS} more.",
)
@places
@command
async def init(confdir: str | None, said: Sequence[str], create: bool, days: int | None) -> None:
    """Check the bucket, and have it delete what has long expired. Safe to run again.

    An R2 token needs Admin Read & Write for it; for all else Object Read & Write is enough.
    """
    async with opened(confdir, said) as where:
        objects = where.bucket().objects
        await away(partial(_init, objects, create, days or _days(where.settings)))


def _init(objects: Objects, create: bool, days: int | None) -> None:
    name = objects.location.bucket
    try:
        if create:
            made = objects.create_bucket()
            click.echo(f"{name}: created" if made else f"{name}: is there already")
        _check(objects)
    except BucketError as error:
        hint = "; --create makes it" if error.kind is Kind.NO_BUCKET and not create else ""
        raise Failed(f"{error}{hint}") from None
    click.echo(f"{objects.location}: can be read, written, listed and deleted from")
    if not objects.supports_conditions():
        raise Failed(
            f"the server of the bucket {objects.location} ignores the conditions of a PUT: "
            "answers can be shared, purges cannot"
        )
    click.echo("conditional writes: yes, so purges can be shared")
    _set_rules(objects, rules(objects.location, days))
    if days:
        click.echo(f"lifecycle: what was uploaded {days} days ago is deleted")
    else:
        click.echo(
            "lifecycle: nothing is deleted, since llm_ttl=0 never expires; --days N deletes all the same"
        )


def _check(objects: Objects) -> None:
    """Raises BucketError."""
    objects.put(CHECK, b"mitmcache", deadline=SECONDS)
    found = objects.get(CHECK, deadline=SECONDS)
    if not isinstance(found, Fetched) or found.body != b"mitmcache":
        raise Failed(f"the bucket {objects.location}: what was written cannot be read again")
    if CHECK not in [listed.name for listed in objects.list(CHECK)]:
        raise Failed(f"the bucket {objects.location}: what was written is not listed")
    objects.delete([CHECK])


def _days(chosen: Settings) -> int | None:
    """None: some answers never expire."""
    longest = max(chosen.ttl, *(rule.ttl for rule in chosen.policy if rule.ttl is not None), 0.0)
    return None if math.isinf(longest) else math.ceil(longest / DAY) + SPARE_DAYS


def rules(location: Location, days: int | None) -> list[Rule]:
    """Ours, one for each kind of entries. What has been purged, the control object, is in none of them."""
    ours: list[Rule] = []
    for kind in (ENTRIES, SEALED):
        prefix = location.name(kind)
        expiration = {"Expiration": {"Days": days}} if days else {}
        ours.append(
            {
                "ID": f"{_RULE}{prefix}",
                "Status": "Enabled",
                "Filter": {"Prefix": prefix},
                **expiration,
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            }
        )
    return ours


def _set_rules(objects: Objects, ours: list[Rule]) -> None:
    """All other rules stay."""
    names = {rule["ID"] for rule in ours}
    try:
        there = objects.get_lifecycle()
        others = [rule for rule in there if rule.get("ID") not in names]
        if sorted((rule for rule in there if rule.get("ID") in names), key=_id) != sorted(ours, key=_id):
            objects.put_lifecycle([*others, *ours])
    except StoreError as error:
        denied = isinstance(error, BucketError) and error.kind is Kind.DENIED
        hint = "; an R2 token needs Admin Read & Write for it" if denied else ""
        click.echo("The rules, to be set by hand beside those that are there:")
        click.echo(json.dumps({"Rules": ours}, indent=2))
        raise Failed(f"the lifecycle rules cannot be set: {error}{hint}") from None


def _id(rule: Rule) -> str:
    return str(rule["ID"])
