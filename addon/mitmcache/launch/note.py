"""What a running proxy notes in its data folder, so that programs find it without being told.

A hint only: a proxy that was killed leaves it behind, so whoever reads it asks whether the proxy is there.
"""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "proxy.json"
TETHERED = "MITMCACHE_TETHERED"
"""Set for a proxy that ends with who started it: nobody else is to rely on it, and it leaves no note."""


@dataclass(frozen=True, slots=True)
class Note:
    """`hosts` and `mode` are the proxy's llm_hosts and llm_mode."""

    url: str
    confdir: str
    hosts: str
    mode: str
    pid: int


def write(folder: Path, note: Note) -> None:
    """Raises OSError."""
    temporary = folder / f"{NAME}.{secrets.token_hex(4)}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(note), file)
        temporary.replace(folder / NAME)
    finally:
        temporary.unlink(missing_ok=True)


def read(folder: Path) -> Note | None:
    """None where there is none that can be read."""
    try:
        found = json.loads((folder / NAME).read_bytes())
        url, confdir, hosts, mode = (str(found[name]) for name in ("url", "confdir", "hosts", "mode"))
        return Note(url, confdir, hosts, mode, int(found["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove(folder: Path, pid: int) -> None:
    """That of this process alone: another proxy may have noted itself since. Raises OSError."""
    found = read(folder)
    if found and found.pid == pid:
        (folder / NAME).unlink(missing_ok=True)
