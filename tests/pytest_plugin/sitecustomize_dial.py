"""Becomes the `sitecustomize` of a proxy under test: all its dials end at the scripted upstream."""

import asyncio
import os
from typing import Any

_open_connection = asyncio.open_connection
OURS = 32768
"""From here on the system chooses ports: the relay has one of them."""


async def _dial(
    host: str | None = None, port: int | None = None, **kwargs: Any
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if host == "127.0.0.1" and (port or 0) >= OURS:
        return await _open_connection(host, port, **kwargs)
    return await _open_connection("127.0.0.1", int(os.environ["DIAL_PORT"]), **kwargs)


asyncio.open_connection = _dial  # type: ignore[assignment]
