"""`http://llm.cache/` through the proxy: is it well, and what has it done?"""

from collections.abc import Coroutine

import orjson
from mitmproxy import http

from mitmcache.addons.calls import moved
from mitmcache.addons.history import CallHistory
from mitmcache.addons.listeners import CONTROL_HOST
from mitmcache.addons.metrics import Metrics
from mitmcache.addons.storage import Storage
from mitmcache.addons.trail import answered, trail_of

CONTROL_PATHS = ("/healthz", "/metrics", "/stats")
"""Others that are only read are the gateway's."""


class Control:
    """Read-only: any web page in a proxied browser can reach it."""

    def __init__(self, storage: Storage, history: CallHistory, metrics: Metrics) -> None:
        self._storage = storage
        self._history = history
        self._metrics = metrics

    def request(self, flow: http.HTTPFlow) -> Coroutine[None, None, None] | None:
        trail = trail_of(flow)
        if answered(flow) or (trail.route and not moved(flow, trail)):
            return None  # without a coroutine: all the traffic comes by here
        if flow.request.pretty_host.lower() != CONTROL_HOST:
            return None
        # first of all: a request to us must never go upstream, whatever fails below
        flow.response = _json(500, {"error": "the statistics could not be made; the log says why"})
        return self._answer(flow)

    async def _answer(self, flow: http.HTTPFlow) -> None:
        path = flow.request.path.partition("?")[0]
        if path not in CONTROL_PATHS:
            told = "there are /healthz, /metrics and /stats; nothing can be changed through the proxy"
            flow.response = _json(404, {"error": told})
        elif flow.request.method != "GET":
            flow.response = _json(405, {"error": "GET only"}, allow="GET")
        elif path == "/healthz":
            flow.response = _json(200, {"status": "ok"})
        elif path == "/metrics":
            flow.response = await self._figures(flow.request.headers)
        else:
            flow.response = _json(200, await self._statistics())

    async def _statistics(self) -> dict[str, object]:
        return {**await self._storage.statistics(), **await self._history.statistics()}

    async def _figures(self, asked: http.Headers) -> http.Response:
        headers, body = await self._metrics.exposition(
            asked.get("accept", ""), asked.get("accept-encoding", "")
        )
        response = http.Response.make(200, body, {"cache-control": "no-store"})
        # after the body: mitmproxy would encode it once more
        response.headers.update(headers)
        return response


def _json(status: int, document: dict[str, object], **headers: str) -> http.Response:
    body = orjson.dumps(document)
    # no page of another origin may have it, not even as a script or an image
    alone = {"cross-origin-resource-policy": "same-origin", "x-content-type-options": "nosniff"}
    fields = {"content-type": "application/json", "cache-control": "no-store", **alone, **headers}
    return http.Response.make(status, body, fields)
