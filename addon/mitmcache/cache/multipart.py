"""Reads multipart/form-data as its parts: the boundary, new on every call, is not part of the meaning."""

import re
from dataclasses import dataclass

_BOUNDARY = re.compile(r"""boundary=(?:"([^"]+)"|([^\s;"]+))""", re.IGNORECASE)
_PARAMETER = re.compile(r"""(\w+\*?)=(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))""")
_FILE = re.compile(r"""(\bfilename\*?=)("(?:[^"\\]|\\.)*"|[^\s;]+)""", re.IGNORECASE)
_MADE_UP = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,}"
    r"|\d{8,}-\d+-[0-9a-z]+|\d{9,}"  # Ruby's name of a temporary file; a time, or Go's random number
    r"|(?<![a-z0-9])tmp[-._]?(?:\d+-)?[a-z0-9_]{6,}(?:-\w+)*",
    re.IGNORECASE,
)


class Malformed(ValueError):
    """Not a multipart body that can be read in one way."""


@dataclass(frozen=True, slots=True)
class Part:
    """`disposition` and `media_type` are the header values as sent, "" where absent."""

    name: str
    disposition: str
    media_type: str
    data: bytes

    @property
    def is_file(self) -> bool:
        return "filename" in self.disposition.lower()


def lasting(disposition: str) -> str:
    """The disposition without what the name of a temporary file is made of, anew for each: of a file's name
    only the extension bears on an answer, and the file itself counts."""
    return _FILE.sub(lambda found: found[1] + _MADE_UP.sub("", found[2]), disposition)


def parse(body: bytes, content_type: str) -> list[Part]:
    """The parts in order. Raises Malformed."""
    match = _BOUNDARY.search(content_type)
    if not match:
        raise Malformed("no boundary")
    delimiter = b"\r\n--" + (match[1] or match[2]).encode("latin-1", "replace")
    first, *pieces = (b"\r\n" + body).split(delimiter)
    if first.strip() or len(pieces) < 1 or not pieces[-1].startswith(b"--"):
        raise Malformed("no closing delimiter")
    return [_part(piece) for piece in pieces[:-1]]


def _part(piece: bytes) -> Part:
    head, separator, data = piece.lstrip(b" \t").partition(b"\r\n\r\n")
    if not separator or not head.startswith(b"\r\n"):
        raise Malformed("a part without a header")
    headers = {}
    for line in head.decode("utf-8", "surrogateescape").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    disposition = headers.get("content-disposition", "")
    parameters = {key.lower(): quoted or bare for key, quoted, bare in _PARAMETER.findall(disposition)}
    return Part(parameters.get("name", ""), disposition, headers.get("content-type", ""), data)
