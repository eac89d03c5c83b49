"""What a request has come to, for the next one of the very same bytes: nothing in it need be read again."""

import hashlib
import marshal
from collections import OrderedDict
from typing import NamedTuple

from mitmcache.cache.directives import Directives
from mitmcache.cache.policy import Lookup
from mitmcache.exchange import Call
from mitmcache.providers.base import Dialect, Provider

MOST = 4096
"""Requests, half a kB each: of what they say, there is a digest."""
LONGEST = 256 * 1024
"""Bytes of a body. What takes longer to digest is read in a thread."""


class Known(NamedTuple):
    """`key` is what `lookup` is for."""

    asked: Directives
    model: str
    lookup: Lookup
    key: str


class KnownRequests:
    """`settings` is all else that decides on a request: once it is another object, nothing is known."""

    def __init__(self) -> None:
        self._found: OrderedDict[bytes, tuple[Provider, Dialect, Known]] = OrderedDict()
        self._settings: object = None

    def get(self, mark: bytes, call: Call, settings: object) -> Known | None:
        if settings is not self._settings:
            self._found.clear()
            self._settings = settings
        provider, dialect, known = self._found.get(mark, (None, None, None))
        if known is None or provider is not call.provider or dialect is not call.dialect:
            return None
        self._found.move_to_end(mark)
        return known

    def put(self, mark: bytes, call: Call, settings: object, known: Known) -> None:
        if not mark or settings is not self._settings:
            return
        self._found[mark] = call.provider, call.dialect, known
        if len(self._found) > MOST:
            self._found.popitem(last=False)


def mark(call: Call, user: str) -> bytes:
    """The same for requests that do not differ in a byte, nor in who asks; b"": it has to be read anyway."""
    if call.unread or len(call.body) > LONGEST:
        return b""
    head = (user, call.method, call.scheme, call.host, call.path, call.query, call.headers)
    # the oldest form: later ones write the same in different ways
    digest = hashlib.sha256(marshal.dumps(head, 0))
    digest.update(call.body)
    return digest.digest()
