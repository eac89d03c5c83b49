"""The figures at `/metrics`."""

import asyncio
from collections.abc import Sequence
from weakref import WeakSet

from mitmproxy import http
from mitmproxy.version import VERSION as MITMPROXY

from mitmcache import __version__
from mitmcache.addons.journaling import Journaling
from mitmcache.addons.storage import Storage
from mitmcache.addons.trail import trail_of
from mitmcache.exchange import Headers
from mitmcache.metrics import state
from mitmcache.metrics.counts import Counts
from mitmcache.metrics.families import Family, Sample, single
from mitmcache.tally import Tally

TOLD = 0.5
"""Seconds that a scrape waits for the calls that have just finished."""


class Metrics:
    """Who serves `/metrics` asks `exposition`, on the event loop."""

    def __init__(self, storage: Storage, journaling: Journaling, tally: Tally) -> None:
        self._storage = storage
        self._journal = journaling.journal
        self._tally = tally
        self._counts = Counts()
        self._one_at_a_time = asyncio.Lock()
        # weak: should mitmproxy ever forget to say that a flow has ended
        self._in_flight: WeakSet[http.HTTPFlow] = WeakSet()
        journaling.listen(self._counts)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if trail_of(flow).route is not None:
            self._in_flight.add(flow)

    def response(self, flow: http.HTTPFlow) -> None:
        self._in_flight.discard(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        self._in_flight.discard(flow)

    async def exposition(self, accept: str = "", accept_encoding: str = "") -> tuple[Headers, bytes]:
        """Headers and body, by what the scraper accepts. One at a time is made, in a thread."""
        async with self._one_at_a_time:
            await self._journal.flush(TOLD)
            families = await self.families()
            return await asyncio.to_thread(_render, families, accept, accept_encoding)

    async def families(self) -> list[Family]:
        """A snapshot of all there is."""
        storage = self._storage
        read = await state.read(storage.stores, storage.keeper, storage.budget, self._tally, self._journal)
        return [_build(), self._flying(), *self._counts.families(), *read]

    def _flying(self) -> Family:
        count = sum(flow.live and flow.error is None for flow in self._in_flight)
        return single(
            "mitmcache_in_flight_requests", "gauge", "LLM calls whose answer is not whole yet.", count
        )


def _render(families: Sequence[Family], accept: str, accept_encoding: str) -> tuple[Headers, bytes]:
    # at the first scrape: a start need not wait for prometheus_client
    from mitmcache.metrics import exposition

    return exposition.render(families, accept, accept_encoding)


def _build() -> Family:
    labels = ("version", "mitmproxy_version")
    sample = Sample((__version__, MITMPROXY), 1.0)
    return Family("mitmcache_build_info", "gauge", "Always 1.", labels, [sample])
