"""`mitmcache exec`: a program, unchanged, through the cache."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote

import click

from mitmcache.cache.policy import Mode
from mitmcache.cli import findings, words
from mitmcache.cli.places import places
from mitmcache.cli.session import Session, session
from mitmcache.journal.ledgers import COLUMNS, Sums
from mitmcache.launch import child, running, runtime
from mitmcache.launch.environment import PROXY
from mitmcache.launch.find import Found
from mitmcache.launch.proxy import Proxy, ProxyError
from mitmcache.launch.runtime import Kind

OURS_FAILED = 125
"""As of env(1) and timeout(1): it is us, not the command."""

ENDING = (signal.SIGTERM, signal.SIGHUP)

WARNINGS = 5
"""So many of the proxy's are passed on."""

type Counts = Mapping[str, Any]


class NotBegun(click.ClickException):
    """The command was not run: one line, exit code 125."""

    exit_code = OURS_FAILED


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]), help="As llm_mode.")
@click.option("--store", metavar="PLACE", help="As llm_store: `s3://bucket/prefix`.")
@click.option(
    "-s",
    "--script",
    "scripts",
    multiple=True,
    metavar="SCRIPT",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A mitmproxy script, beside the cache.",
)
@places
@click.argument("command", nargs=-1, required=True, metavar="COMMAND...")
def execute(
    confdir: str | None,
    said: Sequence[str],
    mode: str | None,
    store: str | None,
    scripts: Sequence[Path],
    command: tuple[str, ...],
) -> None:
    """Run COMMAND so that its LLM calls are cached: `mitmcache exec -- pytest`.

    Uses the proxy that is running (that of $MITMCACHE_PROXY, else the one last started), unless --mode,
    --store, -s or --set ask for another: then, or if none runs, one is started for as long as COMMAND runs.

    The exit code is that of COMMAND: 128+n if signal n ended it, 127 if there is no such command; 125 if the
    proxy could not be started.
    """
    asked = [*said, *([f"llm_mode={mode}"] if mode else []), *([f"llm_store={store}"] if store else [])]
    own = bool(scripts) or any(not word.startswith("confdir=") for word in asked)
    try:
        at = session(confdir, asked)
        with _leaving_in_order(), _through(at, scripts, own=own) as (found, folder):
            told = at.told(found, folder)
            before = running.stats(found.url)
            code = _run(command, {**at.environ, **told})
            if not _summarise(before, running.stats(found.url), found.mode):
                _tell_ignoring(command[0], at.environ)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except click.ClickException as error:
        raise NotBegun(error.message) from None
    sys.exit(code)


@contextmanager
def _leaving_in_order() -> Iterator[None]:
    """A signal that would end us on the spot, with no command yet that could have it, ends the proxy too, and
    leaves no files."""

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    numbers = [number for number in ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _run(command: Sequence[str], environ: Mapping[str, str]) -> int:
    try:
        return child.run(command, environ)
    except OSError as error:
        raise NotBegun(f"the command could not be started: {error.strerror}") from None


@contextmanager
def _through(at: Session, scripts: Sequence[Path], *, own: bool) -> Iterator[tuple[Found, Path]]:
    """The proxy to use, and a folder that can be written to."""
    found = None if own else at.running()
    with tempfile.TemporaryDirectory(prefix="mitmcache-") as spare:
        if found:
            yield found, _writable(found.ca.parent, spare)
            return
        _checked(at)
        options = {"termlog_verbosity": "warn", **at.given, **at.others}
        user = _user(at.proxyauth)
        proxy = Proxy(at.confdir, options, scripts=scripts, environ=at.environ)
        proxy.ended = lambda: _tell(f"the proxy has ended, and calls of the command fail{_last(proxy)}")
        try:
            proxy.start()
        except ProxyError as error:
            raise NotBegun(str(error)) from None
        try:
            url = proxy.url.replace("://", f"://{user}", 1)
            yield Found(url, proxy.ca_file, at.hosts), _writable(at.confdir, spare)
        finally:
            proxy.stop()
            _tell_warnings(proxy)


def _user(proxyauth: str) -> str:
    """What the command has to say to a proxy with this option of mitmproxy's: `user:password@`, or ""."""
    if not proxyauth:
        return ""
    if proxyauth.startswith(("@", "ldap")):
        raise NotBegun(
            "proxyauth names a list of users, and which of them the command is cannot be known: start a "
            f"proxy and set {PROXY}=http://USER:PASSWORD@HOST:PORT"
        )
    name, _, password = proxyauth.partition(":")
    return f"{quote(name, safe='')}:{quote(password or name, safe='')}@"


def _checked(at: Session) -> None:
    """Exits where an option is wrong, with a better message than a proxy that does not start."""
    _ = at.settings


def _writable(folder: Path, spare: str) -> Path:
    return folder if os.access(folder, os.W_OK | os.X_OK) else Path(spare)


def _last(proxy: Proxy) -> str:
    return f": {words.plain(proxy.lines[-1])}" if proxy.lines else ""


def _tell_warnings(proxy: Proxy) -> None:
    """Such as a disk that cannot be written to, or a program that does not trust the CA."""
    ours = (line.partition("mitmcache: ")[2] for line in proxy.lines)
    for line in list(dict.fromkeys(filter(None, ours)))[:WARNINGS]:
        _tell(words.plain(line))


def _tell_ignoring(command: str, environ: Mapping[str, str]) -> None:
    """A Node that does not read the variables has gone past the proxy, and nobody would know."""
    found = runtime.identify(command, environ)
    if not found or found.kind is not Kind.NODE:  # others are not asked for their version
        return
    if ignored := findings.by_version(found, runtime.version(found, environ)):
        _tell(f"{ignored.text}: {ignored.remedy}")


def _summarise(before: Counts | None, after: Counts | None, mode: str = "") -> int:
    """How many calls came to the proxy. `mode`: of one that was found, and may be in another than the user
    thinks."""
    if before is None or after is None:
        _tell("the proxy does not answer any more, so hits and misses are not known")
        return 1
    hits, misses = (int(after.get(name, 0)) - int(before.get(name, 0)) for name in ("hits", "misses"))
    if hits < 0 or misses < 0:
        _tell("the proxy has been restarted, so hits and misses are not known")
        return 1
    parts = [words.count(hits, "hit"), words.count(misses, "miss", "misses")]
    told = {str(reason): number for reason, number in dict(after.get("bypassed", {})).items()}
    for reason, number in dict(before.get("bypassed", {})).items():
        told[str(reason)] = told.get(str(reason), 0) - number
    came: int = hits + misses + sum(told.values())
    parts += [f"{number:,} not cached ({reason})" for reason, number in told.items() if number > 0]
    parts += _saved(before.get("ledgers"), after.get("ledgers"))
    unusual = f" (llm_mode={mode})" if mode and mode != Mode.LIVE else ""
    _tell(", ".join(parts) + unusual)
    return came


def _saved(before: Any, after: Any) -> list[str]:
    """What the hits have saved: `1,234 tokens and $0.05 saved`. [] where there were none."""
    told = [dict(each or {}).get("saved", {}) for each in (before, after)]
    then, now = (Sums(**{name: each.get(name, 0) for name in COLUMNS}) for each in told)
    saved = now.less(then)
    if not saved.calls:
        return []
    tokens = saved.input_tokens + saved.output_tokens
    known = [words.count(tokens, "token")] if saved.unknown_usage < saved.calls else []
    return [f"{' and '.join([*known, saved.money])} saved"]


def _tell(text: str) -> None:
    click.echo(f"mitmcache: {text}", err=True)
