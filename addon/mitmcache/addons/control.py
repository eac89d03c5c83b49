"""`http://llm.cache/` through the proxy: is it well, and what has it done?"""

import orjson
from mitmproxy import http

from mitmcache.addons.calls import moved
from mitmcache.addons.history import CallHistory
from mitmcache.addons.scope import CONTROL_HOST
from mitmcache.addons.storage import Storage
from mitmcache.addons.trail import answered, trail_of


class Control:
    """Read-only: any web page in a proxied browser can reach it."""

    def __init__(self, storage: Storage, history: CallHistory) -> None:
        self._storage = storage
        self._history = history

    async def request(self, flow: http.HTTPFlow) -> None:
        trail = trail_of(flow)
        if answered(flow) or (trail.route and not moved(flow, trail)):
            return
        if flow.request.pretty_host.lower() != CONTROL_HOST:
            return
        # first of all: a request to us must never go upstream, whatever fails below
        flow.response = _json(500, {"error": "the statistics could not be made; the log says why"})
        path = flow.request.path.partition("?")[0]
        if path not in ("/healthz", "/stats"):
            flow.response = _json(404, {"error": "there are /healthz and /stats"})
        elif flow.request.method != "GET":
            flow.response = _json(405, {"error": "GET only"}, allow="GET")
        elif path == "/healthz":
            flow.response = _json(200, {"status": "ok"})
        else:
            flow.response = _json(200, await self._statistics())

    async def _statistics(self) -> dict[str, object]:
        return {**await self._storage.statistics(), **await self._history.statistics()}


def _json(status: int, document: dict[str, object], **headers: str) -> http.Response:
    body = orjson.dumps(document)
    fields = {"content-type": "application/json", "cache-control": "no-store", **headers}
    return http.Response.make(status, body, fields)
