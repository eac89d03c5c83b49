"""Where the proxy listens."""

import ipaddress

from mitmproxy import ctx


def addresses() -> list[tuple[str, int]]:
    """Host and port of every listener that is up."""
    proxyserver = ctx.master.addons.get("proxyserver")
    return [(host, port) for host, port, *_ in proxyserver.listen_addrs()]


def on_loopback() -> bool:
    """All of them are for this machine alone."""
    return all(ipaddress.ip_address(host).is_loopback for host, _ in addresses())
