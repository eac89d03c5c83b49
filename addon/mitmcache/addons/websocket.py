"""Sends a client that would rather talk WebSocket to HTTP, where its calls can be answered."""

from mitmproxy import http

from mitmcache.addons.options import Options
from mitmcache.addons.trail import answered
from mitmcache.cache.policy import Mode

FALLS_BACK = ("codex",)
"""How the `originator` header of clients begins that try HTTP at once when an upgrade is answered 426."""


class WebSocketFallback:
    """Every other client's upgrade passes: it may have no other way."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def request(self, flow: http.HTTPFlow) -> None:
        if answered(flow) or self._options.current.mode is Mode.OFF:
            return
        headers = flow.request.headers
        if (
            headers.get("upgrade", "").lower() == "websocket"
            and headers.get("openai-beta", "").startswith("responses_websockets")
            and headers.get("originator", "").lower().startswith(FALLS_BACK)
        ):
            flow.response = http.Response.make(426, b"", {"upgrade": "HTTP/1.1", "connection": "Upgrade"})
