"""A mitmproxy script: every dial ends at the scripted upstream, and the proxy ends with who started it.

It wraps the dial itself: changing `server.address` in a hook would defeat mitmproxy's connection reuse.
It is copied into a folder of its own before it is loaded, since mitmproxy makes a script's folder
importable. Environment: UPSTREAM_PORT, on 127.0.0.1. Standard input: a pipe that nobody writes to.
"""

import asyncio
import os
import threading
from typing import Any

_open_connection = asyncio.open_connection


async def _dial(
    host: object, port: object, **kwargs: Any
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await _open_connection("127.0.0.1", int(os.environ["UPSTREAM_PORT"]), **kwargs)


def _end_with_parent() -> None:
    # unbuffered: a thread that waits in sys.stdin's buffer holds a lock that the interpreter's end needs
    while os.read(0, 1024):
        pass
    os._exit(70)


asyncio.open_connection = _dial  # type: ignore[assignment]
threading.Thread(target=_end_with_parent, daemon=True).start()
addons: list[object] = []
