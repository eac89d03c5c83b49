"""Finds the proxy that is running, and its folder with the CA."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mitmcache.launch import note, running
from mitmcache.launch.environment import PROXY
from mitmcache.launch.proxy import CA
from mitmcache.launch.running import Health

DEFAULT = "http://127.0.0.1:8080"


class NotFound(Exception):
    """The proxy that was named cannot be used; the text says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Found:
    """A proxy that is up and well. `ca` signs what it shows; `hosts` is its llm_hosts and `mode` its
    llm_mode, as far as is known ("": it is not)."""

    url: str
    ca: Path
    hosts: str
    mode: str = ""


def find(environ: Mapping[str, str], confdir: Path, data_dir: Path, hosts: str) -> Found | None:
    """The one that MITMCACHE_PROXY names, else the one that has noted itself in `data_dir`, else the one at
    the usual port; None if there is none. `hosts` is the llm_hosts of the options.

    Raises NotFound if one was named that is of no use, or one that is up asks for a password or has a CA that
    is not at hand.
    """
    noted = note.read(data_dir)
    if named := environ.get(PROXY):
        _insist(named)
        return _trusted(named, noted, confdir, hosts)
    for url in dict.fromkeys([*([noted.url] if noted else []), DEFAULT]):
        health = running.health(url)
        if health is Health.UP:
            return _trusted(url, noted, confdir, hosts)
        if health is Health.AUTH and noted and noted.url == url:
            raise NotFound(_asks(url, f"set {PROXY}=http://USER:PASSWORD@HOST:PORT"))
    return None


def _asks(url: str, remedy: str) -> str:
    return f"the proxy at {shown(url)} asks who you are: {remedy}"


def _insist(url: str) -> None:
    try:
        running.parse(url)
    except ValueError as error:
        raise NotFound(f"{PROXY}: {error}") from None
    match running.health(url):
        case Health.UP:
            return
        case Health.DOWN:
            raise NotFound(f"{PROXY}: no proxy listens at {shown(url)}: start it, or unset {PROXY}")
        case Health.AUTH:
            raise NotFound(f"{PROXY}: {_asks(url, 'write http://USER:PASSWORD@HOST:PORT')}")
        case Health.OTHER:
            raise NotFound(f"{PROXY}: what listens at {shown(url)} is not mitmcache, or is stuck")


def shown(url: str) -> str:
    """Without the password."""
    try:
        parts = running.parse(url)
    except ValueError:
        return "(not an address)"
    host = parts.hostname or ""
    return f"http://{f'[{host}]' if ':' in host else host}:{parts.port}"


def _trusted(url: str, noted: note.Note | None, confdir: Path, hosts: str) -> Found:
    """With the CA that it really uses: a folder may have been given that is another proxy's."""
    mine = noted if noted and noted.url == shown(url) else None
    folders = dict.fromkeys([*([Path(mine.confdir)] if mine else []), confdir])
    ca = next((path for path in _cas(folders) if _shows(url, path)), None)
    if ca is None:
        tried = " or ".join(str(folder) for folder in folders)
        raise NotFound(
            f"the proxy at {shown(url)} has a CA that is not in {tried}: say where it is with --confdir"
        )
    return Found(
        url if "://" in url else f"http://{url}", ca, *((mine.hosts, mine.mode) if mine else (hosts,))
    )


def _cas(folders: Iterable[Path]) -> list[Path]:
    return [folder / CA for folder in folders if (folder / CA).is_file()]


def _shows(url: str, ca: Path) -> bool:
    try:
        return running.trusted(url, ca)
    except (OSError, ValueError):
        return False
