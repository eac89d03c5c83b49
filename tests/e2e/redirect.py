"""A mitmproxy script: every dial ends at the scripted upstream but those to our own relay, and the proxy ends
with its test.

It wraps the dial itself. Changing `server.address` in a hook instead defeats mitmproxy's connection reuse.
"""

import asyncio
import os
import threading
from typing import Any

# those that hosts in the tests, and in the recorded traffic, have for TLS
TLS_PORTS = (443, 4320, 8443)

CHOSEN = 32768
"""From here on the system chooses ports: the relay has one of them, and no recorded upstream."""

_open_connection = asyncio.open_connection


async def _dial(
    host: str | None = None, port: int | None = None, **kwargs: Any
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if host == "127.0.0.1" and (port or 0) >= CHOSEN:
        return await _open_connection(host, port, **kwargs)
    target = os.environ["UPSTREAM_TLS_PORT" if port in TLS_PORTS else "UPSTREAM_PORT"]
    return await _open_connection("127.0.0.1", int(target), **kwargs)


def _end_with_parent() -> None:
    """Standard input is a pipe that nobody writes to: it ends when the test process does, however it dies."""
    # not sys.stdin, whose lock a blocked thread would hold while the interpreter ends
    os.read(0, 1)
    os._exit(70)


asyncio.open_connection = _dial  # type: ignore[assignment]
threading.Thread(target=_end_with_parent, daemon=True).start()
addons: list[object] = []
