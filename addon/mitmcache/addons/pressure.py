"""How much of a stream mitmproxy holds for a client that reads slowly.

Over HTTP/1 it reads on only when the client does. Over HTTP/2 it reads on, and keeps what the client's window
has no room for: who feeds it has to look. That is no part of its API, so all that is not as expected is 0.
"""

from collections.abc import Callable

from mitmproxy import ctx, http
from mitmproxy.proxy.layers.http import HttpLayer


def pressure_of(flow: http.HTTPFlow) -> Callable[[], int]:
    """To be asked again and again: bytes of the flow's response that wait for its client."""
    if not flow.request.is_http2:
        return lambda: 0
    try:
        layer, stream_id = _find(flow)
        waiting = layer.connections[flow.client_conn].h2_conn.stream_buffers  # type: ignore[attr-defined]
    except (AttributeError, LookupError):
        return lambda: 0
    return lambda: sum(len(part.data) for part in waiting.get(stream_id, ()))


def _find(flow: http.HTTPFlow) -> tuple[HttpLayer, int]:
    """Raises LookupError, and AttributeError where mitmproxy is another than we know."""
    handlers = ctx.master.addons.get("proxyserver").connections.values()
    left: list[object] = [handler.layer for handler in handlers if handler.client is flow.client_conn]
    seen: set[int] = set()
    while left:
        layer = left.pop()
        if layer is None or id(layer) in seen:
            continue
        seen.add(id(layer))
        if isinstance(layer, HttpLayer):
            for stream_id, stream in layer.streams.items():
                if getattr(stream, "flow", None) is flow:
                    return layer, stream_id
            left += layer.streams.values()
        # a layer wraps another, or has decided on the next one, or sends all events to it
        left += [getattr(layer, "child_layer", None), getattr(layer, "layer", None)]
        left.append(getattr(getattr(layer, "_handle_event", None), "__self__", None))
    raise LookupError("no such stream")
