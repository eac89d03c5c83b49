"""`mitmcache doctor`: why calls are not cached."""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import click

from mitmcache.cli import findings, words
from mitmcache.cli.findings import Finding, Level
from mitmcache.cli.places import places
from mitmcache.cli.session import Session, session
from mitmcache.cli.where import Failed, away, command, opened
from mitmcache.launch import running, runtime
from mitmcache.launch.find import Found, shown
from mitmcache.launch.runtime import Kind
from mitmcache.store.base import StoreError

SECONDS = 10.0
SPARE = 100 << 20
"""Bytes free on the disk below which it is told."""
USUAL = ("python3", "node", "curl")


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--host", metavar="NAME", help="Is this host's traffic cached? `llm.corp.example:8443`.")
@places
@click.argument("words_of", nargs=-1, metavar="[COMMAND...]")
@command
async def doctor(
    confdir: str | None, said: Sequence[str], host: str | None, words_of: tuple[str, ...]
) -> None:
    """Find out why calls are not cached, and what to do: `mitmcache doctor -- python`.

    COMMAND is not run: its runtime is asked to reach the proxy, as `mitmcache exec` would have it do. The
    exit code is 1 if something is wrong.
    """
    at = session(confdir, said)
    bad = False
    for finding in [*_proxy(at, host, words_of[0] if words_of else ""), *await _stores(confdir, said)]:
        _print(finding)
        bad = bad or finding.level is Level.BAD
    if bad:
        sys.exit(1)


def _print(finding: Finding) -> None:
    click.echo(f"{finding.level:4}  {words.plain(finding.text)}")
    if finding.remedy:
        click.echo(f"      -> {words.plain(finding.remedy)}")


def _proxy(at: Session, host: str | None, program: str) -> Iterator[Finding]:
    settings = at.settings
    try:
        found = at.running()
    except Failed as error:
        yield Finding(Level.BAD, error.message)
        found = None
    else:
        if found is None:
            remedy = "start one with ./run.sh; or use `mitmcache exec`, which starts its own"
            yield Finding(Level.BAD, "no proxy is running", remedy)
    hosts = found.hosts if found else at.hosts
    if found:
        yield Finding(Level.OK, f"the proxy at {shown(found.url)} is up, and {found.ca} is its CA")
        settings = at.with_hosts(hosts).settings
        yield findings.shell(at.environ, found.url)
    yield findings.mode((found.mode if found else "") or settings.mode)
    decrypted = [word.partition("=")[0] for word in hosts.replace(",", " ").split()]
    yield from findings.exceptions(at.environ, decrypted, host or "")
    yield from findings.bases(at.environ, settings)
    if host:
        yield findings.host(host, settings)
    if found:
        yield from _runtimes(at, found, program)
        yield from findings.counted(running.stats(found.url) or {})
    elif program:
        yield from _versions(at, program)


def _runtimes(at: Session, found: Found, program: str) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory(prefix="mitmcache-") as folder:
        told = {**at.environ, **at.told(found, Path(folder))}
        for name in [program] if program else USUAL:
            each = runtime.identify(name, told)
            if each is None:
                if program:
                    yield _missing(name)
                continue
            version = runtime.version(each, told) if each.kind is not Kind.OTHER else ()
            yield findings.runtime(each, version, runtime.probe(each, told), asked=bool(program))
            if program:
                yield from findings.own_connections(each.kind)


def _versions(at: Session, program: str) -> Iterator[Finding]:
    """Of what cannot be tried, since there is no proxy."""
    each = runtime.identify(program, at.environ)
    if each is None:
        yield _missing(program)
    elif each.kind is Kind.NODE and (bad := findings.by_version(each, runtime.version(each, at.environ))):
        yield bad


def _missing(program: str) -> Finding:
    return Finding(Level.BAD, f"there is no command {program}", "look at PATH")


async def _stores(confdir: str | None, said: Sequence[str]) -> list[Finding]:
    """Can the disk be written to, and the bucket be reached?"""
    ours = [word for word in said if word.startswith(("llm_", "confdir="))]
    found: list[Finding] = []
    try:
        async with opened(confdir, ours) as where:
            folder = where.settings.data_dir
            with tempfile.TemporaryFile(dir=folder):
                pass
            found.append(Finding(Level.OK, f"{folder} can be written to"))
            if (free := shutil.disk_usage(folder).free) < SPARE:
                text = f"{folder}: only {words.nbytes(free)} are free on this disk"
                found.append(Finding(Level.BAD, text, "make room, or set llm_data_dir"))
            if where.remote:
                store = str(where.settings.store)
                try:
                    await away(partial(where.remote.objects.check, deadline=SECONDS))
                    found.append(Finding(Level.OK, f"the bucket {store} can be reached"))
                except StoreError as error:
                    remedy = "look at the AWS_ variables and llm_store; then `mitmcache bucket init`"
                    found.append(Finding(Level.BAD, str(error), remedy))
    except (StoreError, OSError) as error:
        remedy = "answers are kept in memory alone: see to the folder's owner and rights, or set llm_data_dir"
        found.append(Finding(Level.BAD, str(error), remedy))
    return found
