"""The words of the project: a call and its reply."""

from dataclasses import dataclass, field

from mitmcache.providers.base import Dialect, Provider
from mitmcache.reasons import Reason

type Headers = tuple[tuple[str, str], ...]
"""Names in lower case, in the order sent."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request that the catalogue names.

    `host` is lower-case and carries its port where that is not the scheme's own. `path` is
    percent-decoded with repeated slashes collapsed, `query` as sent. `body` is content-decoded; where
    that cannot be done it is as sent, and `unread` says why.
    """

    provider: Provider
    dialect: Dialect
    method: str
    scheme: str
    host: str
    path: str
    query: str
    headers: Headers
    body: bytes = field(repr=False)
    unread: Reason | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What an upstream answered. `framed` says that the transport marked the end of the body."""

    status: int
    headers: Headers
    body: bytes = field(repr=False)
    framed: bool = True


def header(headers: Headers, name: str) -> str:
    """All values of a lower-case header name, joined by a comma as RFC 9110 5.2 has it."""
    return ", ".join(value for key, value in headers if key == name)
