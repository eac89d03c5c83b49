"""What a request is compared by: worked out once for all who ask, and only if somebody does."""

from functools import cached_property

from mitmcache.cache import key, shape
from mitmcache.cache.body import Body
from mitmcache.cache.key import Ingredients
from mitmcache.cache.shape import Shape


class Likeness:
    """`secret` keys the digests in the shape; `size` is in bytes, of the request's canonical body."""

    def __init__(self, parts: Ingredients, body: Body, secret: bytes) -> None:
        self.size = len(body.canonical)
        self._parts = parts
        self._body = body
        self._secret = secret

    @cached_property
    def group(self) -> str:
        """See `key.group`."""
        return key.group(self._parts)

    @cached_property
    def shape(self) -> Shape:
        return shape.shape(self._parts, self._body, self._secret)

    @cached_property
    def packed(self) -> bytes:
        """The shape, as it is stored."""
        return shape.pack(self.shape)
