"""A reply <-> the record of it: what is kept of the upstream's answer, and what its next caller gets."""

import gzip
import re
from functools import lru_cache
from typing import Literal

from mitmcache.cache.record import Record
from mitmcache.exchange import Headers

KEPT_HEADERS = frozenset(
    {
        "content-type",
        "content-disposition",
        "openai-version",
        "openai-model",
        "num-tokens",
        "num-chars",
        "x-inference-provider",
        "x-ms-served-model",
    }
)
KEPT_PREFIX = "x-amzn-bedrock-"
"""Bedrock tells usage in headers alone."""

KINDS = 64
"""Values of Accept-Encoding that are remembered: a client always sends the same."""

GZIPPED: Headers = (("content-encoding", "gzip"),)

_REFUSED = re.compile(r"q\s*=\s*0(?:\.0*)?")


def kept(headers: Headers) -> Headers:
    """An allow-list: what identifies one call (ids, dates, cookies, limits) is not the next call's."""
    return tuple(
        (name, value) for name, value in headers if name in KEPT_HEADERS or name.startswith(KEPT_PREFIX)
    )


def body_for(record: Record, accept_encoding: str) -> tuple[bytes, Headers]:
    """The body, and the headers that say how it is encoded."""
    if coding_for(accept_encoding) == "gzip":
        return gzip.compress(record.body, 1, mtime=0), GZIPPED
    return record.body, ()


@lru_cache(KINDS)
def coding_for(accept_encoding: str) -> Literal["", "gzip"]:
    """As it is, unless the caller refuses that and takes gzip."""
    takes = _takes(accept_encoding)
    if takes.get("identity", takes.get("*", True)) or not takes.get("gzip", takes.get("*", False)):
        return ""
    return "gzip"


def _takes(accept_encoding: str) -> dict[str, bool]:
    """What an Accept-Encoding says of each coding it names (RFC 9110 12.5.3)."""
    named: dict[str, bool] = {}
    for item in accept_encoding.lower().split(","):
        coding, *parameters = (part.strip() for part in item.split(";"))
        named[coding] = not any(_REFUSED.fullmatch(parameter) for parameter in parameters)
    return named
