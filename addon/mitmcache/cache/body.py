"""What a request body comes to: its canonical bytes, and what a dialect may look at."""

import hashlib
from dataclasses import dataclass, field
from typing import Literal

from mitmcache.cache import canonical, multipart
from mitmcache.cache.framing import frame
from mitmcache.cache.prune import prune
from mitmcache.providers.base import Dialect, Json

_TEXT_PART = 64 * 1024


@dataclass(frozen=True, slots=True)
class Body:
    """`seen` is the request as its dialect looks at it: parsed JSON, or a multipart's text parts, or None.

    `canonical` is equal for bodies of one meaning; `tree` is what it was made from, for `shape`.
    """

    kind: Literal["json", "multipart", "raw"]
    canonical: bytes = field(repr=False)
    seen: Json = field(repr=False)
    tree: Json = field(repr=False)


def read(body: bytes, content_type: str, dialect: Dialect) -> Body:
    """Never raises: a body that has no single meaning is its bytes."""
    media_type = content_type.lower()
    if media_type.startswith("multipart/"):
        try:
            return _multipart(body, content_type, dialect)
        except multipart.Malformed:
            return Body("raw", body, None, None)
    if "json" in media_type or body.lstrip()[:1] in (b"{", b"["):
        return _json(body, dialect)
    return Body("raw", body, None, None)


def _json(body: bytes, dialect: Dialect) -> Body:
    try:
        tree = canonical.parse(body)
        seen = dict(tree) if isinstance(tree, dict) else tree  # prune only takes fields out of `tree`
        prune(tree, dialect)
        return Body("json", canonical.dump(tree), seen, tree)
    except canonical.Ambiguous:
        return Body("raw", body, canonical.lenient(body), None)


def _multipart(body: bytes, content_type: str, dialect: Dialect) -> Body:
    parts = multipart.parse(body, content_type)
    seen = {
        part.name: part.data.decode("utf-8", "replace")
        for part in parts
        if not part.is_file and len(part.data) <= _TEXT_PART
    }
    counted = [part for part in parts if part.is_file or part.name not in dialect.volatile]
    facts = [_facts(part) for part in counted]
    # what is not UTF-8 in a name could not be written down in a shape
    names = [part.name.encode("utf-8", "replace").decode() for part in counted]
    tree = {f"{name}#{index}": hashlib.sha256(facts[index]).hexdigest() for index, name in enumerate(names)}
    return Body("multipart", b"".join(facts), seen, tree)


def _facts(part: multipart.Part) -> bytes:
    texts = (multipart.lasting(part.disposition), part.media_type, hashlib.sha256(part.data).hexdigest())
    return frame(text.encode("utf-8", "surrogateescape") for text in texts)
