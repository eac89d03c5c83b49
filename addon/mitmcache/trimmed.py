"""JSON to keep. What orjson returns goes on holding all the room that it was written in: 4 KB for the
shortest document, and several times its length for a long one."""

from typing import Any

import orjson


def dumps(document: Any, option: int | None = None) -> bytes:
    """As orjson's, in no more memory than it takes."""
    return bytes(memoryview(orjson.dumps(document, option=option)))
