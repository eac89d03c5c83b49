"""Joins byte strings so that no two lists of them give the same bytes."""

from collections.abc import Iterable
from struct import Struct

_length = Struct(">Q").pack


def frame(pieces: Iterable[bytes]) -> bytes:
    """Each piece behind its length, 8 bytes big-endian."""
    return b"".join([part for piece in pieces for part in (_length(len(piece)), piece)])
