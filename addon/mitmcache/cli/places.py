"""Where the options come from: what the proxy's own come from, for the same values."""

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mitmcache import settings
from mitmcache.settings import BadOption

CONFDIR = "MITMCACHE_CONFDIR"


def places[F: Callable[..., Any]](command: F) -> F:
    """Adds --confdir and --set; their values come as `confdir` and `said`."""
    command = click.option(
        "--set",
        "said",
        multiple=True,
        metavar="NAME=VALUE",
        help="An option of the proxy: `llm_store=s3://bucket/prefix`. Wins over config.yaml.",
    )(command)
    return click.option(
        "--confdir",
        metavar="FOLDER",
        help=f"The proxy's folder with config.yaml; else ${CONFDIR}, the checkout's certs/, ~/.mitmproxy.",
    )(command)


def gather(
    confdir: str | None, said: Sequence[str], environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The options that are given, by name, as text. Raises BadOption."""
    given: dict[str, str] = {}
    for word in said:
        name, equals, value = word.partition("=")
        if not equals:
            raise BadOption(f"--set {word}: write NAME=VALUE")
        if name == "confdir":  # as in the proxy's own command line
            confdir = confdir or value
            continue
        _known(name, "--set")
        given[name] = value
    folder = folder_of(confdir, environ)
    if confdir and not folder.is_dir():
        raise BadOption(f"confdir: there is no folder {folder}")
    return _read(folder / "config.yaml") | given


def folder_of(confdir: str | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The proxy's folder, whether it is there or not."""
    return Path(confdir or environ.get(CONFDIR) or _default()).expanduser().absolute()


def _default() -> str | Path:
    addon = Path(__file__).resolve().parents[2]
    return addon.parent / "certs" if (addon / "main.py").exists() else "~/.mitmproxy"


def others(folder: Path) -> dict[str, str]:
    """mitmproxy's own options in config.yaml, as text; nothing where it cannot be read."""
    try:
        found = _document(folder / "config.yaml")
    except BadOption:
        return {}
    return {str(name): str(value) for name, value in found.items() if not str(name).startswith("llm_")}


def _document(path: Path) -> dict[Any, Any]:
    try:
        document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise BadOption(f"{path}: {getattr(error, 'strerror', None) or 'is not text'}") from None
    except YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f", line {place.line + 1}" if place else ""
        raise BadOption(f"{path}{line}: is not YAML") from None
    if not isinstance(document, dict | None):
        raise BadOption(f"{path}: is not a list of `name: value`")
    return document or {}


def _read(path: Path) -> dict[str, str]:
    """Our options in the file; the others are mitmproxy's."""
    ours = {str(name): value for name, value in _document(path).items() if str(name).startswith("llm_")}
    for name, value in ours.items():
        _known(name, str(path))
        if not isinstance(value, str):  # mitmproxy wants it so, too
            raise BadOption(f"{path}: {name} must be text: write {name}: '{value}'")
    return ours


def _known(name: str, place: str) -> None:
    names = [option.name for option in settings.OPTIONS]
    if name not in names:
        close = difflib.get_close_matches(name, names, 1)
        hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(names)}"
        raise BadOption(f"{place}: unknown option {name}{hint}")
