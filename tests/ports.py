"""Ports for servers that cannot be told to take any.

They are below those that the kernel gives to whoever asks for none (32768 and up, unless told otherwise): or
a connection of some other test could have one before its server does. Nor do two workers of pytest-xdist
choose from the same ones.
"""

import os
import random
import socket

LOWEST, HIGHEST = 10_300, 22_000
TRIES = 1000


def free(*beside: int) -> int:
    """A port that is free now, as are those that are so far above it."""
    worker, workers = (os.environ.get(f"PYTEST_XDIST_WORKER{what}", "") for what in ("", "_COUNT"))
    first = LOWEST + int(worker.removeprefix("gw") or 0)
    for _ in range(TRIES):
        port = random.SystemRandom().randrange(first, HIGHEST, int(workers or 1))
        if all(_is_free(each) for each in (port, *(port + distance for distance in beside))):
            return port
    raise RuntimeError("no free port for a server of the tests")


def several(count: int, *beside: int) -> list[int]:
    found: set[int] = set()
    while len(found) < count:
        found.add(free(*beside))
    return list(found)


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False
