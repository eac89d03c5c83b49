"""Keeps the gateway's own connections out of the log: whoever asks for metrics each second would fill it."""

import logging
from collections import OrderedDict

from mitmproxy import ctx
from mitmproxy.proxy import server

from mitmcache.addons.listeners import is_gateway

BEGIN = "client connect"
MOST = 4096


class Quiet(logging.Filter):
    """What is more than information is said all the same."""

    def __init__(self) -> None:
        super().__init__()
        # a connection's end may be told in any order: the last are remembered, until their port is another's
        self._ours: OrderedDict[object, None] = OrderedDict()

    def begin(self) -> None:
        server.logger.addFilter(self)

    def end(self) -> None:
        server.logger.removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        peer = getattr(record, "client", None)
        if record.msg == BEGIN:
            self._ours.pop(peer, None)
            if _begins_at_gateway(peer):
                self._ours[peer] = None
            if len(self._ours) > MOST:
                self._ours.popitem(last=False)
        return peer not in self._ours or record.levelno > logging.INFO


def _begins_at_gateway(peer: object) -> bool:
    """It is the last that was registered: mitmproxy has done nothing since."""
    connections = ctx.master.addons.get("proxyserver").connections
    handler = next(reversed(connections.values()), None)
    return handler is not None and handler.client.peername == peer and is_gateway(handler.client.proxy_mode)
