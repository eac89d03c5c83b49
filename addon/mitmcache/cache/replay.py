"""A reply <-> the record of it: what is kept of the upstream's answer, and what its next caller gets."""

import gzip
import re

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

_REFUSED = re.compile(r"(?:^|,)\s*(?:identity|\*)\s*;\s*q=0(?:\.0*)?\s*(?:,|$)", re.IGNORECASE)


def kept(headers: Headers) -> Headers:
    """An allow-list: what identifies one call (ids, dates, cookies, limits) is not the next call's."""
    return tuple(
        (name, value) for name, value in headers if name in KEPT_HEADERS or name.startswith(KEPT_PREFIX)
    )


def body_for(record: Record, accept_encoding: str) -> tuple[bytes, Headers]:
    """The body, and the headers that say how it is encoded.

    As it is, unless the caller refuses that and takes gzip.
    """
    lowered = accept_encoding.lower()
    refuses = _REFUSED.search(lowered) and not re.search(
        r"identity(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", lowered
    )
    if refuses and re.search(r"gzip(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", lowered):
        return gzip.compress(record.body, 1, mtime=0), (("content-encoding", "gzip"),)
    return record.body, ()
