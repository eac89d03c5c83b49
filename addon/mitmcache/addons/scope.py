"""Decrypts the catalogue's hosts alone: every other connection is tunnelled as it is.

A client that does not trust our CA would lose the provider because of us; after a few refusals the
pair of client and host is tunnelled too, and that is said once.
"""

import logging
import re
from collections import OrderedDict

from mitmproxy import ctx, tls

from mitmcache.addons.listeners import CONTROL_HOST
from mitmcache.addons.options import Options
from mitmcache.providers import catalogue

logger = logging.getLogger(__name__)

REFUSALS = 3
"""So many refused handshakes in a row, without one that succeeded, and the pair is let through."""
MAX_PAIRS = 4096

type Pair = tuple[str, str, frozenset[int]]
"""A client's address, the host it wants, and the ciphers it offers: all programs of one machine share an
address, and one that does not trust the CA must not turn the cache off for the others."""


class Scope:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._refusals: OrderedDict[Pair, int] = OrderedDict()
        self._shaking: OrderedDict[str, Pair] = OrderedDict()
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
        pair = _pair(data)
        if self._refusals.get(pair, 0) >= REFUSALS:
            data.ignore_connection = True
        else:
            _put(self._shaking, data.context.client.id, pair)

    def tls_established_client(self, data: tls.TlsData) -> None:
        if pair := self._shaking.pop(data.context.client.id, None):
            self._refusals.pop(pair, None)

    def tls_failed_client(self, data: tls.TlsData) -> None:
        pair = self._shaking.pop(data.context.client.id, None)
        if pair is None:
            return
        count = self._refusals.get(pair, 0) + 1
        _put(self._refusals, pair, count)
        if count == REFUSALS:
            logger.warning(
                "mitmcache: a program at %s does not trust this proxy's CA for %s: from now on its "
                "connections to that host pass through undecrypted, and uncached. To have them cached, let "
                "it trust the CA, and restart the proxy.",
                *pair[:2],
            )


def _put[K, V](table: OrderedDict[K, V], key: K, value: V) -> None:
    """As the latest; the oldest of too many goes."""
    table[key] = value
    table.move_to_end(key)
    if len(table) > MAX_PAIRS:
        table.popitem(last=False)


def _pair(data: tls.ClientHelloData) -> Pair:
    client, server = data.context.client, data.context.server
    host = client.sni or (server.address[0] if server.address else "")
    address = client.peername[0] if client.peername else ""
    # without GREASE (RFC 8701), which is another at each handshake
    ciphers = frozenset(cipher for cipher in data.client_hello.cipher_suites if cipher & 0x0F0F != 0x0A0A)
    return address, host, ciphers
