"""mitmdump, tied to who started it. Arguments: mitmdump's. Standard input: a pipe that nobody writes to.

Run by its path: nothing has to be installed, and the environment stays as it is.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

PACKAGES = str(Path(__file__).resolve().parents[2])
TO_END = 15.0
"""Seconds for a proxy whose starter is gone to write what it has."""


def _end_with_starter() -> None:
    """The pipe ends when its other end does, however that dies."""
    # not sys.stdin, whose lock a blocked thread would hold while the interpreter ends
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(TO_END)
    os._exit(70)


if __name__ == "__main__":
    if PACKAGES not in sys.path:
        sys.path.insert(0, PACKAGES)
    from mitmproxy.tools.main import mitmdump

    threading.Thread(target=_end_with_starter, daemon=True).start()
    sys.exit(mitmdump())
