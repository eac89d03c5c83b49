"""Sends a client that would rather talk WebSocket to HTTP, where its calls can be answered."""

from mitmproxy import http

from mitmcache.addons.calls import host_of, target
from mitmcache.addons.options import Options
from mitmcache.addons.trail import answered
from mitmcache.cache.policy import Mode
from mitmcache.providers import catalogue
from mitmcache.settings import WebSocket

UPGRADE = {"upgrade": "HTTP/1.1", "connection": "Upgrade"}


class WebSocketFallback:
    """Answers an upgrade with 426 where the same path takes an inference call by POST: Codex, and whoever
    else has both, tries HTTP then. A socket that has no such form (realtime, Gemini Live) passes."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def request(self, flow: http.HTTPFlow) -> None:
        settings = self._options.current
        if (
            flow.request.headers.get("upgrade", "").lower() != "websocket"
            or answered(flow)
            or settings.mode is Mode.OFF
            or settings.websocket is WebSocket.PASS
        ):
            return
        path, _ = target(flow.request)
        if catalogue.find(host_of(flow), "POST", path, settings.hosts):
            flow.response = http.Response.make(426, b"", UPGRADE)
