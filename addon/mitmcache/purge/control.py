"""The one object in the bucket by which all who share it know what has been purged.

It is only ever changed by a conditional PUT, so that of two who purge at once neither loses. It blocks: for
threads and the command line.
"""

import random
import time
from enum import Enum
from typing import NamedTuple, Protocol

from mitmcache.cache.generations import Generations, merge
from mitmcache.selection import Selection
from mitmcache.store.base import StoreError
from mitmcache.store.names import CONTROL
from mitmcache.store.s3 import Fetched
from mitmcache.store.seal import ForeignSeal, Seal

READ_SECONDS = 5.0
PUSH_SECONDS = 15.0
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 3.0
AGAIN = frozenset({"conflict", "throttled"})


class Objects(Protocol):
    """Of store/s3.py, as far as it is needed here."""

    @property
    def location(self) -> object: ...

    def get(self, name: str, *, deadline: float, etag: str | None = None) -> Fetched | Enum | None:
        """NOT_MODIFIED is the Enum."""

    def put(
        self,
        name: str,
        body: bytes,
        *,
        deadline: float,
        if_match: str | None = None,
        if_none_match: bool = False,
    ) -> str: ...

    def supports_conditions(self, *, deadline: float) -> bool: ...


class Found(NamedTuple):
    """`etag` is None where there is no object yet."""

    generations: Generations
    etag: str | None


def read(
    objects: Objects, seal: Seal | None, etag: str | None = None, *, deadline: float = READ_SECONDS
) -> Found | None:
    """None: it is as it was when its etag was the one given. Raises StoreError, also where it cannot be
    understood: then keep what you have."""
    fetched = objects.get(CONTROL, deadline=deadline, etag=etag)
    if fetched is None:
        return Found(Generations(), None)
    if not isinstance(fetched, Fetched):
        return None
    if not isinstance(fetched.body, bytes):
        fetched.body.file.close()
        raise StoreError(f"{_what(objects)} is too large")
    try:
        data = seal.open(CONTROL, fetched.body) if seal else fetched.body
        return Found(Generations.from_json(data), fetched.etag)
    except ValueError as error:
        raise StoreError(f"{_what(objects)} cannot be read: {_why(fetched.body, seal, error)}") from None


def purge(
    objects: Objects, seal: Seal | None, known: Generations, selection: Selection, now: float
) -> Generations:
    """What is known, with the purge, once the bucket has it; its `number(selection)` is n. `now` in Unix
    seconds.

    Takes at most 15 seconds. Raises StoreError: it is not sure that anything was purged; and ValueError for
    what no purge can name.
    """
    late = Generations({selection: known.purged(selection, now).latest})
    return merge(known, push(objects, seal, late))


def push(objects: Objects, seal: Seal | None, late: Generations, *, conditional: bool = False) -> Generations:
    """What the bucket has once it has the late purges, each with an n above all that it had before.

    `conditional`: the server is known to honour the conditions of a PUT. Takes at most 15 seconds. Raises
    StoreError.
    """
    end = time.monotonic() + PUSH_SECONDS
    pause = FIRST_PAUSE
    tried: Generations | None = None
    while True:
        try:
            if not conditional:
                _require_conditions(objects, end)
                conditional = True
            found = read(objects, seal, deadline=_left(objects, end)) or Found(Generations(), None)
            if tried and merge(found.generations, tried) == found.generations:
                return found.generations  # the answer to our PUT was lost, not the PUT
            tried = late.above(found.generations.latest)
            after = merge(found.generations, tried)
            _put(objects, seal, after, found.etag, _left(objects, end))
            return after
        except StoreError as error:
            if getattr(error, "kind", "") not in AGAIN or time.monotonic() + pause >= end:
                raise
        time.sleep(random.uniform(pause / 2, pause))
        pause = min(pause * 2, LONGEST_PAUSE)


def _require_conditions(objects: Objects, end: float) -> None:
    if not objects.supports_conditions(deadline=_left(objects, end)):
        raise StoreError(
            f"the server of the bucket {objects.location} ignores the conditions of a PUT, so that of two "
            "purges one could be lost: it can be shared for answers, but not for purges"
        )


def _put(
    objects: Objects, seal: Seal | None, generations: Generations, etag: str | None, deadline: float
) -> None:
    data = generations.to_json()
    if seal:
        data = seal.seal(CONTROL, data)
    objects.put(CONTROL, data, deadline=deadline, if_match=etag, if_none_match=etag is None)


def _left(objects: Objects, end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise StoreError(f"the bucket {objects.location}: the purge did not get through in time")
    return min(left, READ_SECONDS)


def _what(objects: Objects) -> str:
    return f"the bucket {objects.location}: the object {CONTROL}"


def _why(body: bytes, seal: Seal | None, error: ValueError) -> str:
    """The commonest mistake first: one has a secret, and the other none or another."""
    sealed = body.startswith(b"LLMS")
    if seal and not sealed:
        return "it is not sealed, and llm_secret is set; all who share a bucket need the same secret"
    if sealed and not isinstance(error, ForeignSeal):
        return "it is sealed with a secret; all who share a bucket need the same llm_secret"
    return str(error)
