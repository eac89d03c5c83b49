"""Ports for servers that cannot be told to take any.

They are below those that the kernel gives to whoever asks for none (32768 and up, unless told otherwise): or
a connection of some other test could have one before its server does. Nor does another worker of the same
run choose among them, or this one twice.
"""

import os
import random
import socket

LOWEST, HIGHEST = 10_300, 22_000
TRIES = 1000
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_given: set[int] = set()


def free(*beside: int) -> int:
    """A port that is free now, as are those that are so far above it."""
    for _ in range(TRIES):
        port = random.SystemRandom().randrange(LOWEST + _worker, HIGHEST, WORKERS)
        if port not in _given and all(
            _is_free(each) for each in (port, *(port + distance for distance in beside))
        ):
            if len(_given) > TRIES:
                _given.clear()
            _given.add(port)
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
