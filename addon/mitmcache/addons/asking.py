"""Puts what came to the gateway port to its app, in the words of both."""

import logging
from typing import TYPE_CHECKING

import orjson
from mitmproxy import http

from mitmcache.addons.listeners import CONTROL_HOST

if TYPE_CHECKING:
    from mitmcache.gateway.app import App

logger = logging.getLogger(__name__)

FLOW = "x-mitmcache-flow"
LIVE = "/api/live"
MOMENT, ANSWERING = 2.0, 30.0
"""Seconds of an answer that is given as a whole: of a stream, and of what ends by itself."""


def sign(flow: http.HTTPFlow, app: "App", came: int) -> None:
    """Says in its headers who asks the app, and the port that it has come to (0: through the proxy)."""
    from mitmcache.gateway.app import CAME
    from mitmcache.relay.origin import SECRET

    if came == 0:
        flow.request.headers["host"] = CONTROL_HOST  # as :authority it would get lost
    flow.request.headers.update({SECRET: app.secret, CAME: str(came), FLOW: flow.id})


async def answer(flow: http.HTTPFlow, app: "App", came: int) -> None:
    """Without a dial, for where a script has put something else in the place of this process's own."""
    from mitmcache.gateway import here

    # first of all: what is asked of us must never go upstream, whatever fails below
    flow.response = unavailable()
    sign(flow, app, came)
    request = flow.request
    body, target = request.raw_content or b"", request.path
    deadline = MOMENT if target.startswith(LIVE) else ANSWERING
    try:
        found = await here.ask(app, request.method, target, request.headers.fields, body, deadline)
    except here.Endless:
        logger.warning("mitmcache: the gateway took too long to answer")
        return
    length = (b"content-length", str(len(found.body)).encode())
    fields = [*((name, value) for name, value in found.headers if name != length[0]), length]
    flow.response = http.Response.make(found.status)
    flow.response.headers = http.Headers(fields)
    flow.response.raw_content = found.body


def unavailable() -> http.Response:
    body = orjson.dumps({"error": "the gateway does not answer; the log says why"})
    return http.Response.make(503, body, {"content-type": "application/json", "cache-control": "no-store"})
