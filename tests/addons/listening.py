"""A proxy that listens, on a port of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from addons.flows import Rig


@asynccontextmanager
async def listening(rig: Rig, host: str) -> AsyncIterator[int]:
    """The port; the rig's proxy listens on it until the end."""
    rig.options.update(listen_host=host, listen_port=0)
    server = rig.manager.get("proxyserver")
    server.running()
    assert await server.setup_servers()
    try:
        yield server.listen_addrs()[0][1]
    finally:
        rig.options.update(server=False)
        await server.setup_servers()
