"""Feeds a stream to a reader in pieces."""

from itertools import pairwise

from hypothesis import strategies as st

from mitmcache.wire.events import Event, Reader

cuts = st.lists(st.integers(0, 4000), max_size=30)
"""Where to cut a stream; `split` takes them modulo its length."""


def split(data: bytes, at: list[int]) -> list[bytes]:
    ends = sorted({0, len(data), *(cut % (len(data) + 1) for cut in at)})
    return [data[start:end] for start, end in pairwise(ends)]


def singly(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


def read(reader: Reader, chunks: list[bytes]) -> list[Event]:
    """Every event of a whole stream, the close included."""
    return [event for chunk in chunks for event in reader.feed(chunk)] + reader.close()
