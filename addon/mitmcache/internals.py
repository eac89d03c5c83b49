"""mitmproxy's inner workings: whoever replaces some of them must know that they are the ones he knows."""

import inspect
from collections.abc import Mapping
from hashlib import sha256
from operator import attrgetter

import mitmproxy


class Unfamiliar(Exception):
    """mitmproxy is not as it is known here; the text says what is not."""


def verify(known: Mapping[str, str]) -> None:
    """Digests by dotted name below `mitmproxy`, all of imported modules. Raises Unfamiliar."""
    for name, expected in known.items():
        if digest(name) != expected:
            raise Unfamiliar(f"{name} is another")


def digest(name: str) -> str:
    """Of the source, so that it is the same on every Python; "" where there is none."""
    try:
        source = inspect.getsource(attrgetter(name)(mitmproxy))
    except (AttributeError, OSError, TypeError):
        return ""
    return sha256(source.encode()).hexdigest()[:16]
