"""The token that lets its bearer change something: a file that only its owner can read."""

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

NAME = "gateway-token"
_FORM = re.compile(r"[A-Za-z0-9_-]{43}")


def read(folder: Path) -> str:
    """ "" where there is none that can be trusted: others could have read it, or written it."""
    try:
        descriptor = os.open(folder / NAME, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
            found = os.fstat(file.fileno())
            text = file.read(256).strip()
    except OSError:
        return ""
    if os.name == "posix" and (found.st_mode & 0o077 or found.st_uid != os.geteuid()):
        return ""
    return text if _FORM.fullmatch(text) else ""


def ensure(folder: Path) -> str:
    """The token of the folder, made where there is none. Raises OSError.

    Of several processes that make it at once, all get the same.
    """
    for _ in range(2):
        if found := read(folder):
            return found
        with suppress(FileExistsError):
            return _make(folder)
        if not read(folder):  # readable by others, or no token at all: a new one takes its place
            (folder / NAME).unlink(missing_ok=True)
    return _make(folder)


def _make(folder: Path) -> str:
    token = secrets.token_urlsafe(32)
    temporary = folder / f"{NAME}.{secrets.token_hex(4)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{token}\n")
        os.link(temporary, folder / NAME)  # all of it at once, and never over another's
    finally:
        temporary.unlink(missing_ok=True)
    return token
