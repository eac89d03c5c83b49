"""The memory that Python has given out, which does not depend on the machine."""

import tracemalloc
from collections.abc import Callable


def held_by(make: Callable[[], object]) -> int:
    """Bytes that what `make` returns, and whatever else it has begun to keep, takes."""
    return _traced(make)[0]


def most_for(make: Callable[[], object]) -> int:
    """Bytes that it took at its worst moment."""
    return _traced(make)[1]


def _traced(make: Callable[[], object]) -> tuple[int, int]:
    tracemalloc.start()
    try:
        made = make()
        found = tracemalloc.get_traced_memory()
        del made
    finally:
        tracemalloc.stop()
    return found
