"""Decrypts the catalogue's hosts alone: every other connection is tunnelled as it is.

A client that does not trust our CA would lose the provider because of us; after a few refusals the
pair of client and host is tunnelled too, and that is said once.
"""

import logging
import re
from collections import OrderedDict

from mitmproxy import ctx, tls
from mitmproxy.proxy.context import Context

from mitmcache.addons.options import Options
from mitmcache.providers import catalogue

logger = logging.getLogger(__name__)

REFUSALS = 3
"""So many refused handshakes in a row, without one that succeeded, and the pair is let through."""
MAX_PAIRS = 4096
CONTROL_HOST = "llm.cache"

type Pair = tuple[str, str]
"""The client's address, and the host it wants."""


class Scope:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._refusals: OrderedDict[Pair, int] = OrderedDict()
        self._ours: list[str] = []

    def configure(self, updated: set[str]) -> None:
        if not updated & {"llm_hosts", "allow_hosts"}:
            return
        ours = [*catalogue.host_patterns(self._options.current.hosts), rf"^{re.escape(CONTROL_HOST)}:443$"]
        # after a hot reload, ours are there already
        known = {*self._ours, *ours}
        merged = [*(pattern for pattern in ctx.options.allow_hosts if pattern not in known), *ours]
        self._ours = ours
        if merged != list(ctx.options.allow_hosts):
            ctx.options.update(allow_hosts=merged)

    def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        if self._refusals.get(_pair(data.context), 0) >= REFUSALS:
            data.ignore_connection = True

    def tls_established_client(self, data: tls.TlsData) -> None:
        self._refusals.pop(_pair(data.context), None)

    def tls_failed_client(self, data: tls.TlsData) -> None:
        pair = _pair(data.context)
        count = self._refusals.pop(pair, 0) + 1
        self._refusals[pair] = count
        if len(self._refusals) > MAX_PAIRS:
            self._refusals.popitem(last=False)
        if count == REFUSALS:
            logger.warning(
                "mitmcache: %s does not trust this proxy's CA for %s: from now on its connections to that "
                "host pass through undecrypted, and uncached. To have them cached, let it trust the CA.",
                *pair,
            )


def _pair(context: Context) -> Pair:
    client, server = context.client, context.server
    host = client.sni or (server.address[0] if server.address else "")
    return (client.peername[0] if client.peername else "", host)
