"""Call -> digest. What is framed here counts; nothing else does.

The key is the SHA-256 of labelled, length-framed ingredients. `KEY_VERSION` changes with any change of
what is framed or how: golden vectors in the tests pin it.
"""

import hashlib
from operator import itemgetter
from urllib.parse import parse_qsl

from mitmcache.cache.body import Body
from mitmcache.cache.framing import frame
from mitmcache.cache.scope import SECRET_QUERY
from mitmcache.exchange import Call, header

KEY_VERSION = 1

type Ingredients = tuple[tuple[str, bytes], ...]


def ingredients(call: Call, body: Body, scope: str, custom: str | None = None) -> Ingredients:
    """What makes two calls the same: (label, value) pairs. `scope` is `scope.label`'s text.

    `custom` is the caller's own name for the body (cf-aig-cache-key), which then does not count.
    """
    what = (body.kind, body.canonical) if custom is None else ("custom", _bytes(custom))
    return (
        ("dialect", call.dialect.name.encode()),
        ("origin", f"{call.scheme}://{call.host}".encode()),
        ("method", call.method.encode()),
        ("path", _bytes(call.path)),
        ("query", _query(call)),
        *((f"header {name}", value) for name, value in _headers(call)),
        *((("content-type", _media_type(call)),) if body.kind == "raw" else ()),
        ("scope", scope.encode()),
        what,
    )


def variant(key: str, number: int) -> str:
    """The key of one of the answers that take turns; number 0 has the key that there is without variants."""
    if not number:
        return key
    pieces = [b"mitmcache", str(KEY_VERSION).encode(), b"variant", key.encode(), str(number).encode()]
    return hashlib.sha256(frame(pieces)).hexdigest()


def digest(parts: Ingredients) -> str:
    """64 lower-case hex digits."""
    pieces = [b"mitmcache", str(KEY_VERSION).encode()]
    for name, value in parts:
        pieces += _bytes(name), value
    return hashlib.sha256(frame(pieces)).hexdigest()


def group(parts: Ingredients) -> str:
    """Of calls whose misses may explain each other: same dialect, host and scope. 32 hex digits."""
    same = [value for name, value in parts if name in ("dialect", "origin", "scope")]
    return hashlib.sha256(frame(same)).hexdigest()[:32]


def _media_type(call: Call) -> bytes:
    """Bytes that are not JSON may be two things: sound as WAV, and as MP3."""
    return _bytes(header(call.headers, "content-type").strip().lower())


def _query(call: Call) -> bytes:
    ignored = (*SECRET_QUERY, *call.dialect.volatile_query)
    pairs = parse_qsl(call.query, keep_blank_values=True, errors="surrogateescape")
    return frame(
        _bytes(text)
        for name, value in sorted(pairs, key=itemgetter(0))  # servers read a repeated name by its order
        if name.lower() not in ignored
        for text in (name, value)
    )


def _headers(call: Call) -> list[tuple[str, bytes]]:
    """The request headers that change the answer, by name, each once."""
    wanted = {*call.dialect.key_headers, *call.provider.key_headers}
    prefixes = tuple(name[:-1] for name in wanted if name.endswith("*"))
    present = {name for name, _ in call.headers if name in wanted or (prefixes and name.startswith(prefixes))}
    return [(name, _value(call, name)) for name in sorted(present)]


def _value(call: Call, name: str) -> bytes:
    value = header(call.headers, name)
    if name in call.dialect.set_headers:
        value = ",".join(sorted({item.strip() for item in value.split(",") if item.strip()}))
    return _bytes(value.strip())


def _bytes(text: str) -> bytes:
    """As sent: what is not UTF-8 came as surrogates."""
    return text.encode("utf-8", "surrogateescape")
