"""Hears the end of every LLM call, and tells of it."""

import asyncio
import time

from mitmproxy import http

from mitmcache.addons.calls import lower, proxy_user
from mitmcache.addons.options import Options
from mitmcache.addons.trail import Trail, trail_of
from mitmcache.exchange import Reply
from mitmcache.journal.event import Event
from mitmcache.journal.journal import Journal, Listener
from mitmcache.journal.prices import Prices
from mitmcache.journal.trace import Parent, parent

CLOSE = 2.0
AGENT = 80
"""Characters of User-Agent that are told."""
MODEL = 256
"""Characters of a model's name that are told."""


class Journaling:
    """Whoever wants to know of finished calls says `listen`."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._prices = options.current.prices
        self.journal = Journal(Prices(self._prices).price)

    def configure(self, updated: set[str]) -> None:
        if self._prices != self._options.current.prices:
            self._prices = self._options.current.prices
            self.journal.price_by(Prices(self._prices).price)

    def listen(self, listener: Listener) -> None:
        self.journal.listen(listener)

    def response(self, flow: http.HTTPFlow) -> None:
        self._note(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        self._note(flow)

    def done(self) -> "asyncio.Task[None]":
        return asyncio.create_task(self.journal.flush(CLOSE))

    def _note(self, flow: http.HTTPFlow) -> None:
        trail = trail_of(flow)
        if trail.route is None or trail.outcome is None or trail.event:
            return
        response, reply = flow.response, None
        version = (trail.key, trail.created) if trail.created else None
        known = version is not None and self.journal.knows(version)
        if response and 200 <= response.status_code < 300 and response.raw_content and not known:
            reply = Reply(response.status_code, lower(response.headers), response.raw_content)
        trail.event = _event(flow, trail)
        self.journal.note(trail.event, reply, version)


def _event(flow: http.HTTPFlow, trail: Trail) -> Event:
    assert trail.route and trail.outcome
    outcome, request, response = trail.outcome, flow.request, flow.response
    now, began = time.time(), request.timestamp_start
    received = request.timestamp_end or began
    served = outcome.served
    dialled = trail.answer is None and flow.server_conn.timestamp_start is not None
    head = None
    if response:
        head = trail.decided if trail.answer else response.timestamp_start or now
    near = trail.near
    peer = flow.client_conn.peername
    return Event(
        id=flow.id,
        began=began,
        duration=now - began,
        client=proxy_user(flow) or (peer[0] if peer else ""),
        agent=request.headers.get("user-agent", "").partition(" (")[0][:AGENT],
        provider=trail.route[0].name,
        host=trail.host,
        dialect=trail.route[1].name,
        operation=trail.route[1].operation,
        model=trail.model[:MODEL],
        word=outcome.word,
        reason="" if served else outcome.detail if outcome.word == "BYPASS" else outcome.fwd,
        unstored="" if served or outcome.word == "BYPASS" else trail.unstored,
        tier=trail.tier,
        key=trail.key,
        nearest=near.key if near else "",
        differs=tuple(near.places) if near else (),
        status=response.status_code if response else 0,
        error=flow.error.msg if flow.error else "",
        streamed=bool(response and response.stream),
        request_size=len(request.raw_content or b""),
        response_size=len(response.raw_content or b"") if response else 0,
        decided=max(0.0, (trail.decided or now) - received),
        first_byte=head - began if head else None,
        dialled=dialled,
        received=received - began,
        port=request.port,
        parent=_parent(request.headers),
    )


def _parent(headers: http.Headers) -> Parent | None:
    # `get_all` would do so too, at several times the cost
    traces = [field for field in headers.fields if field[0].lower() in (b"traceparent", b"tracestate")]
    if not traces:
        return None
    parents, states = (
        [value.decode("latin-1") for name, value in traces if name.lower() == wanted]
        for wanted in (b"traceparent", b"tracestate")
    )
    return parent(parents, states)
