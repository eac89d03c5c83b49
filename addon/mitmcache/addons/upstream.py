"""Mends what a cache would otherwise inherit from how mitmproxy dials upstreams."""

import asyncio

from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.tls import TlsData

RETRY_AFTER = 0.05
"""Seconds: after mitmproxy has answered the requests that were waiting for this very dial."""


class Upstream:
    """A failed dial stays on the connection object, and every later request of the same HTTP/2 client
    connection would fail at once without dialling again (mitmproxy 12.2)."""

    def server_connect_error(self, data: ServerConnectionHookData) -> None:
        _forget_error(data.server)

    def tls_failed_server(self, data: TlsData) -> None:
        _forget_error(data.conn)


def _forget_error(server: object) -> None:
    asyncio.get_running_loop().call_later(RETRY_AFTER, setattr, server, "error", None)
