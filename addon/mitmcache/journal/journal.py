"""Tells of finished calls in batches, off the path of the calls themselves, with what they used and cost."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mitmcache.batches import Batches
from mitmcache.cache import admit
from mitmcache.exchange import Reply, Usage
from mitmcache.journal.event import Cost, Event
from mitmcache.reading.answerer import Answerer, answerer
from mitmcache.reading.documents import documents
from mitmcache.reading.usage import UNBILLED, used

logger = logging.getLogger(__name__)

PACE = 0.2
"""Seconds between two batches."""
MAX_WAITING = 8192
MAX_HELD = 64 << 20
"""Bytes of replies that wait to be read; beyond, what a call has used stays unknown."""
MAX_READ = 64 << 20
"""Bytes of one reply, decoded."""
KNOWN = 8192
"""Stored answers of which it is known what they have used, so that a hit needs no reading."""

type Listener = Callable[[Sequence[Event]], None]
type Pricer = Callable[[Event, Usage], Cost | None]
"""Runs in a thread; what it raises is logged, and the price unknown."""
type Version = tuple[str, float]
"""A stored answer: its key, and when it was created."""
type Known = tuple[Answerer, Usage | None, Cost | None]
"""What an answer has told."""


@dataclass(slots=True)
class _Waiting:
    event: Event
    reply: Reply | None
    version: Version | None


class Journal:
    """On the event loop. Never fails a call, and never holds one up."""

    def __init__(self, price: Pricer = lambda event, used: None) -> None:
        self._price = price
        self._listeners: list[Listener] = []
        self._batches = Batches(self._tell, PACE)
        self._held = 0
        self._known: OrderedDict[Version, Known] = OrderedDict()
        self.lost = 0
        """Events that nobody was told of, because too many waited."""

    @property
    def waiting(self) -> tuple[int, int]:
        """Events not yet told, and the bytes of the replies among them."""
        return len(self._batches.waiting), self._held

    def listen(self, listener: Listener) -> None:
        """It is told of every batch, in order, on the loop; what it raises is logged."""
        self._listeners.append(listener)

    def price_by(self, price: Pricer) -> None:
        """Goes by another list of prices from now on."""
        self._price = price
        self._known.clear()

    def knows(self, version: Version) -> bool:
        """The reply of this version need not be given to `note`."""
        return version in self._known

    def note(self, event: Event, reply: Reply | None = None, version: Version | None = None) -> None:
        """Takes over the event. `reply` is what came, still content-encoded; `version` the stored answer that
        it was or has become. Returns at once."""
        if not self._listeners:
            return
        if len(self._batches.waiting) >= MAX_WAITING:
            self.lost += 1
            return
        if version and version in self._known:
            self._known.move_to_end(version)
            (event.response_model, event.service_tier), event.usage, event.cost = self._known[version]
            reply = None
        elif reply and self._held + len(reply.body) > MAX_HELD:
            reply = None
        self._held += len(reply.body) if reply else 0
        self._batches.waiting.append(_Waiting(event, reply, version))
        self._batches.begin()

    async def flush(self, deadline: float) -> None:
        """Waits until what was noted has been told, at most `deadline` seconds."""
        await self._batches.flush(deadline)

    async def _tell(self, batch: list[_Waiting]) -> None:
        if unread := [each for each in batch if each.reply]:
            price = self._price
            await asyncio.to_thread(self._read, unread, price)
            self._remember(unread, known=price is self._price)
        events = [each.event for each in batch]
        for listener in self._listeners:
            try:
                listener(events)
            except Exception:
                logger.warning("mitmcache: finished calls could not be told", exc_info=True)

    def _read(self, unread: list[_Waiting], price: Pricer) -> None:
        """In a thread; the events are nobody else's yet."""
        for each in unread:
            assert each.reply
            try:
                plain = admit.decoded(each.reply, MAX_READ, partial=True)
                if isinstance(plain, Reply):
                    _tell_of(each.event, plain)
                if each.event.usage:
                    each.event.cost = price(each.event, each.event.usage)
            except Exception:
                # open: it is unknown then
                logger.warning("mitmcache: what a call has used could not be read", exc_info=True)

    def _remember(self, read: list[_Waiting], *, known: bool) -> None:
        """`known`: at what price they are has not changed meanwhile."""
        for each in read:
            assert each.reply
            self._held -= len(each.reply.body)
            if each.version and known:
                event = each.event
                said = Answerer(event.response_model, event.service_tier)
                self._known[each.version] = (said, event.usage, event.cost)
            if len(self._known) > KNOWN:
                self._known.popitem(last=False)


def _tell_of(event: Event, plain: Reply) -> None:
    """Has the event tell what its answer says."""
    read, _ = documents(event.dialect, plain.headers, plain.body)
    event.response_model, event.service_tier = answerer(read)
    if event.dialect not in UNBILLED:
        event.usage = used(event.dialect, plain.headers, read)
