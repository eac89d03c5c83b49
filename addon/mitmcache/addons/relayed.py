"""Sends large answers from the cache piece by piece: mitmproxy dials our own loopback origin for them.

The flow is another one only while it is on its way there. Neither the caller's request nor anything of it
goes to the origin, and nobody sees what did, or that anything did.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from mitmproxy import connection, http

from mitmcache.addons import answers
from mitmcache.addons.pressure import pressure_of
from mitmcache.addons.trail import trail_of
from mitmcache.cache import replay
from mitmcache.cache.status import Outcome
from mitmcache.large import records
from mitmcache.large.records import LargeRecord

if TYPE_CHECKING:
    from mitmcache.relay.server import Relay

logger = logging.getLogger(__name__)

CLOSE = 2.0
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class _Hop:
    """What the flow was before, what the client gets, and the path of its body."""

    request: http.Request
    server: connection.Server
    response: http.Response
    path: str


class Relayed:
    def __init__(self) -> None:
        self._relay: Relay | None = None
        self._hops: WeakKeyDictionary[http.HTTPFlow, _Hop] = WeakKeyDictionary()
        self._paths: WeakKeyDictionary[http.HTTPFlow, str] = WeakKeyDictionary()

    async def serve(self, flow: http.HTTPFlow, record: LargeRecord, outcome: Outcome) -> bool:
        """Has the flow answered with the record, which it closes. False: it cannot be, and both are as they
        were."""
        if self._relay is None:
            # the web server behind it is a tenth of the start, and hardly ever needed
            await asyncio.to_thread(import_module, "mitmcache.relay.server")
        from mitmcache.relay.origin import SECRET, Body
        from mitmcache.relay.server import Relay, RelayError

        self._relay = self._relay or Relay()
        try:
            port = await self._relay.port()
        except RelayError as error:
            logger.warning("mitmcache: large answers are given from memory: %s", error)
            return False
        gzipped = replay.coding_for(flow.request.headers.get("accept-encoding", "")) == "gzip"
        response = answers.from_large(flow.request, record, outcome, gzipped=gzipped)
        body = Body(records.body(record, gzipped=gzipped), record.close, pressure_of(flow))
        path = self._relay.origin.offer(body)
        self._hops[flow] = _Hop(flow.request, flow.server_conn, response, path)
        flow.request = _request(port, path, SECRET, self._relay.origin.secret)
        # a new one, not that of the client's connection: it has no parent proxy to go through
        flow.server_conn = connection.Server(address=(LOOPBACK, port))
        return True

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        hop = self._hops.pop(flow, None)
        if hop is None or self._relay is None or flow.response is None:
            return
        from mitmcache.relay.origin import SECRET

        dialled = flow.server_conn.timestamp_start is not None
        proof = flow.response.headers.get(SECRET, "")
        self._restore(flow, hop)
        trail = trail_of(flow)
        if proof == self._relay.origin.secret:
            hop.response.timestamp_start = flow.response.timestamp_start
            flow.response = trail.answer = hop.response
            flow.response.stream = True
            self._paths[flow] = hop.path
            return
        self._relay.origin.withdraw(hop.path)
        # another addon's answer to the request, or a stranger's on our port
        trail.outcome = None
        if dialled:
            logger.warning("mitmcache: a large answer could not be given: the relay does not know itself")
            flow.kill()

    def error(self, flow: http.HTTPFlow) -> None:
        if hop := self._hops.pop(flow, None):
            self._restore(flow, hop)
            self._paths[flow] = hop.path
        # where its client leaves, mitmproxy may forget to close the connection to its server
        self.response(flow)

    def response(self, flow: http.HTTPFlow) -> None:
        if self._relay and (path := self._paths.pop(flow, None)):
            self._relay.origin.withdraw(path)

    def done(self) -> "asyncio.Task[None] | None":
        return asyncio.create_task(self._relay.close(CLOSE)) if self._relay else None

    def _restore(self, flow: http.HTTPFlow, hop: _Hop) -> None:
        flow.request, flow.server_conn = hop.request, hop.server


def _request(port: int, path: str, header: str, secret: str) -> http.Request:
    now = time.time()
    headers = http.Headers(
        [
            (b"Host", f"{LOOPBACK}:{port}".encode()),
            # one for each answer: mitmproxy lets only five to an address live at a time
            (b"Connection", b"close"),
            (header.encode(), secret.encode()),
        ]
    )
    return http.Request(
        LOOPBACK, port, b"GET", b"http", b"", path.encode(), b"HTTP/1.1", headers, b"", None, now, now
    )
