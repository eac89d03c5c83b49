"""What a mark and the command line ask for, and where a test's recording is kept."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

type Mode = Literal["record", "replay", "live"]
MODES: tuple[Mode, ...] = get_args(Mode.__value__)
FOLDER = "mitmcache"
SUFFIX = ".tar"
_LONGEST = 100
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


class BadMark(ValueError):
    """A mark that cannot be; in words for who wrote it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a test's marks say; "" for nothing. `path` is a recording, or a folder of them."""

    mode: Mode | Literal[""] = ""
    path: str = ""


def read(marks: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]) -> Wanted:
    """Of arguments by position and by name, those of the nearest mark first. Raises BadMark."""
    said: dict[str, Any] = {}
    for positional, named in marks:
        if positional:
            raise BadMark(f"takes mode=... and path=..., not {positional[0]!r} alone")
        if unknown := sorted(set(named) - {"mode", "path"}):
            raise BadMark(f"has no option {unknown[0]!r}; there are mode and path")
        said = {**named, **said}
    mode, path = said.get("mode", ""), said.get("path", "")
    if "mode" in said and mode not in MODES:
        raise BadMark(f"mode={mode!r} is none of {', '.join(MODES)}")
    if "path" in said and (not isinstance(path, str) or not path):
        raise BadMark(f"path={path!r} is no path: write a text such as 'recordings/chat{SUFFIX}'")
    return Wanted(mode, path)


def decide(command_line: str, mark: str, *, in_ci: bool, exists: bool) -> Mode:
    """The command line wins over the mark. With neither: record once, and replay from then on; in CI never
    record."""
    if said := command_line or mark:
        return cast(Mode, said)
    return "replay" if exists or in_ci else "record"


def is_ci(environ: Mapping[str, str]) -> bool:
    """Every CI service sets CI."""
    return environ.get("CI", "").strip().lower() not in ("", "0", "false", "no")


def place(test_file: Path, test: str, path: str) -> Path:
    """`test` is the name with its class and its parameters. `path`: the mark's, from the test's folder on."""
    if path.endswith(SUFFIX):
        return test_file.parent / path
    folder = Path(path) if path else Path(FOLDER) / test_file.stem
    return test_file.parent / folder / f"{file_name(test)}{SUFFIX}"


def file_name(test: str) -> str:
    """Safe on every system; tests of other names have other files. The name itself where that is so."""
    safe = _UNSAFE.sub("-", test.replace("::", ".")).strip("-.")
    if len(safe) <= _LONGEST and test == safe.replace(".", "::"):
        return safe
    digest = hashlib.sha256(test.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{safe[:_LONGEST].rstrip('-.')}-{digest}"
