"""What a command works on: the settings, the local disk and the bucket, opened as the proxy would."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import click

from mitmcache import settings
from mitmcache.cache.generations import Generations, merge
from mitmcache.cli.places import gather
from mitmcache.purge import control
from mitmcache.purge.purger import KNOWN
from mitmcache.selection import Selection
from mitmcache.settings import BadOption, Settings
from mitmcache.store.base import StoreError
from mitmcache.store.browse import Row
from mitmcache.store.disk import DiskStore
from mitmcache.store.location import NOTED
from mitmcache.store.workers import Workers

if TYPE_CHECKING:
    from mitmcache.cli.remote import Remote

NO_LIMIT = 1 << 60
"""Bytes. Eviction is the proxy's, which may have been started with another llm_disk."""
CLOSE = 60.0
PAGE = 1000


class Failed(click.ClickException):
    """Could not be done: one line, exit code 1."""


class Wrong(click.ClickException):
    """A value that cannot be: one line, exit code 2."""

    exit_code = 2


@dataclass(frozen=True)
class Where:
    """`remote` is None without a bucket."""

    settings: Settings
    disk: DiskStore
    remote: "Remote | None"

    def bucket(self) -> "Remote":
        """Exits when there is none."""
        if self.remote is None:
            raise Failed("there is no bucket: set llm_store, with --set or in config.yaml")
        return self.remote

    async def rows(self, selected: Selection) -> AsyncIterator[Row]:
        """What the local disk has of it, by provider and model."""
        last: Row | None = None
        while page := await self.disk.select(selected, PAGE, last):
            last = page[-1]
            for row in page:
                yield row

    async def generations(self, *, shared: bool = False) -> Generations:
        """What is known here to be purged; `shared`: and what the bucket knows, where it can be asked."""
        data = await self.disk.recall(KNOWN)
        try:
            known = Generations.from_json(data) if data else Generations()
        except ValueError as error:
            raise StoreError(f"{self.settings.data_dir}: {error}") from None
        if shared and self.remote:
            try:
                found = await away(partial(control.read, self.remote.objects, self.remote.seal))
            except StoreError as error:
                click.echo(f"purges by others are not known: {error}", err=True)
            else:
                known = merge(known, found.generations) if found else known
        return known


@asynccontextmanager
async def opened(confdir: str | None, said: Sequence[str], *, uploads: bool = False) -> AsyncIterator[Where]:
    """`uploads`: what is put is to go to the bucket as well."""
    try:
        given = gather(confdir, said)
    except BadOption as error:
        raise Wrong(str(error)) from None
    chosen = _parsed({"llm_store": "", **given})
    disk = _open(chosen, "")
    try:
        if "llm_store" not in given:
            chosen = await _recalled(disk, given)
        if uploads and chosen.store:
            await disk.close(CLOSE)
            disk = _open(chosen, str(chosen.store))
        yield Where(chosen, disk, _remote(chosen))
    finally:
        await disk.close(CLOSE)


class _Left(BaseException):
    """Ctrl-C, and a thread is at work that cannot be told."""


async def away[T](work: Callable[[], T]) -> T:
    """What the work returns or raises, in a thread that Ctrl-C does not wait for."""
    workers = Workers(1, "mitmcache")
    try:
        return await workers.run(work)
    except asyncio.CancelledError:
        raise _Left from None
    finally:
        await workers.close(0)


def command(work: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs a command's coroutine, and ends it with one line where a store fails."""

    @wraps(work)
    def run(**arguments: Any) -> None:
        try:
            asyncio.run(work(**arguments))
        except _Left:
            click.echo("\nAborted!", err=True)
            sys.stdout.flush()
            os._exit(1)  # the interpreter's end may wait for the thread, and that for the bucket
        except StoreError as error:
            raise Failed(str(error)) from None
        except TimeoutError:
            raise Failed("the local disk is slow, or another process holds it") from None
        except BrokenPipeError:  # click's: who reads our output has had enough
            raise
        except OSError as error:
            raise Failed(": ".join(filter(None, (error.filename, error.strerror or str(error))))) from None

    return run


def _parsed(given: dict[str, str], environ: dict[str, str] | None = None) -> Settings:
    defaults = {option.name: option.default for option in settings.OPTIONS}
    try:
        return settings.parse(defaults | given, os.environ if environ is None else environ)
    except BadOption as error:
        raise Wrong(str(error)) from None


def _open(chosen: Settings, destination: str) -> DiskStore:
    spool = chosen.spool
    disk = DiskStore(chosen.data_dir, NO_LIMIT, now=time.time, destination=destination, spool_bytes=spool)
    disk.open()
    return disk


async def _recalled(disk: DiskStore, given: dict[str, str]) -> Settings:
    """With the bucket of the last proxy, and the endpoint that it had."""
    text = (await disk.recall(NOTED) or b"").decode("utf-8", "replace")
    store, at, endpoint = text.partition(" at ")
    environ = dict(os.environ) | ({"AWS_ENDPOINT_URL_S3": endpoint} if at else {})
    return _parsed({**given, "llm_store": store}, environ)


def _remote(chosen: Settings) -> "Remote | None":
    if chosen.store is None:
        return None
    from mitmcache.cli.remote import Remote

    return Remote(chosen.store, chosen.secret)
