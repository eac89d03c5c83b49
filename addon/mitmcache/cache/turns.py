"""Which of a call's variants are stored, which are being made, and whose turn it is."""

from collections.abc import Iterator

LEASE = 3600.0
"""Seconds after which nobody believes any more that a variant is being made."""


class Turns:
    """Of one call. `now` is of any clock that only goes forward. Variants are numbered from 0."""

    def __init__(self) -> None:
        self._stored: set[int] = set()
        self._taken: dict[int, float] = {}
        self._turn = 0

    def unknown(self, variants: int, now: float) -> Iterator[int]:
        """Those that may be missing and that nobody makes, in order. May be told of them as they come."""
        self._taken = {number: until for number, until in self._taken.items() if until > now}
        return (n for n in range(variants) if n not in self._stored and n not in self._taken)

    def stored(self, number: int) -> None:
        self._stored.add(number)

    def lost(self) -> None:
        """One that was thought to be stored is not: a purge or an eviction has hardly met it alone."""
        self._stored.clear()

    def take(self, number: int, now: float) -> None:
        """Somebody makes it, until `release`."""
        self._stored.discard(number)
        self._taken[number] = now + LEASE

    def release(self, number: int) -> None:
        self._taken.pop(number, None)

    def shared(self, variants: int) -> int | None:
        """One that somebody makes already, the first taken: for whom none is left."""
        return next((number for number in self._taken if number < variants), None)

    def next(self, variants: int) -> int | None:
        """The stored one whose turn it is, None where there is none."""
        stored = sorted(number for number in self._stored if number < variants)
        if not stored:
            return None
        self._turn += 1
        return stored[(self._turn - 1) % len(stored)]

    def any(self, variants: int) -> int:
        """Whose turn it is to be made anew."""
        self._turn += 1
        return (self._turn - 1) % variants
