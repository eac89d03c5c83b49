"""A mitmproxy script: every dial ends at the scripted upstream.

It wraps the dial itself: changing `server.address` in a hook would defeat mitmproxy's connection reuse.
It is copied into a folder of its own before it is loaded, since mitmproxy makes a script's folder
importable. Environment: UPSTREAM_PORT, on 127.0.0.1.
"""

import asyncio
import os
from typing import Any

_open_connection = asyncio.open_connection


async def _dial(
    host: object, port: object, **kwargs: Any
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await _open_connection("127.0.0.1", int(os.environ["UPSTREAM_PORT"]), **kwargs)


asyncio.open_connection = _dial  # type: ignore[assignment]
addons: list[object] = []
