"""Where the proxy listens."""

import ipaddress

from mitmproxy import ctx
from mitmproxy.proxy.mode_specs import ProxyMode, ReverseMode

CONTROL_HOST = "llm.cache"
"""Answered by the proxy itself."""
GATEWAY = f"reverse:http://{CONTROL_HOST}"
"""The mode of the gateway port: what comes there has come to us, not through us."""


def addresses() -> list[tuple[str, int]]:
    """Host and port of every listener that is up, but for the gateway port."""
    proxyserver = ctx.master.addons.get("proxyserver")
    return [
        (host, port)
        for server in proxyserver.servers
        if not is_gateway(server.mode)
        for host, port, *_ in server.listen_addrs
    ]


def gateway() -> int:
    """The gateway port, 0 while there is none."""
    proxyserver = ctx.master.addons.get("proxyserver")
    found = [server.listen_addrs for server in proxyserver.servers if is_gateway(server.mode)]
    return next((port for _, port, *_ in found[0]), 0) if found else 0


def is_gateway(mode: ProxyMode) -> bool:
    return isinstance(mode, ReverseMode) and mode.full_spec.partition("@")[0] == GATEWAY


def on_loopback() -> bool:
    """All of them are for this machine alone."""
    return all(ipaddress.ip_address(host).is_loopback for host, _ in addresses())
