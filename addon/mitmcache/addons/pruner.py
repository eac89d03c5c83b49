"""Keeps mitmweb's memory bounded however long it runs: the oldest finished flows go, live ones never."""

from collections import deque

from mitmproxy import ctx, flow, http

MAX_FLOWS = 1000
MAX_BYTES = 256 << 20
MAX_MESSAGES = 200
"""WebSocket messages kept per connection."""


class Pruner:
    """In mitmdump, which shows no flows and keeps none, it has nothing to do."""

    def __init__(self, max_flows: int = MAX_FLOWS, max_bytes: int = MAX_BYTES) -> None:
        self._max_flows = max_flows
        self._max_bytes = max_bytes
        self._finished: deque[tuple[flow.Flow, int]] = deque()
        self._bytes = 0

    def response(self, flow: http.HTTPFlow) -> None:
        self._ended(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        self._ended(flow)

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        if flow.websocket and len(flow.websocket.messages) > MAX_MESSAGES:
            del flow.websocket.messages[:-MAX_MESSAGES]

    def _ended(self, ended: http.HTTPFlow) -> None:
        view = ctx.master.addons.get("view")
        if view is None:
            return
        size = _size(ended)
        self._finished.append((ended, size))
        self._bytes += size
        # a flow is still live in its own response hook: at most once round, so that live ones cannot hold us
        for _ in range(len(self._finished)):
            if len(self._finished) <= self._max_flows and self._bytes <= self._max_bytes:
                return
            oldest, size = self._finished.popleft()
            if oldest.live:
                self._finished.append((oldest, size))
                continue
            self._bytes -= size
            view.remove([oldest])


def _size(flow: http.HTTPFlow) -> int:
    messages = (flow.request, flow.response)
    return sum(len(message.raw_content or b"") for message in messages if message)
