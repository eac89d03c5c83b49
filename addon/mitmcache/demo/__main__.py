# ruff: noqa: T201 - what it prints is what it is for
"""Checks that what the demo needs is installed, and plays it."""

import sys
from importlib.util import find_spec

NEEDED = ("openai", "mitmproxy", "cryptography")

if __name__ == "__main__":
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        print(
            f"mitmcache demo: {', '.join(missing)} is not installed. `./run.sh demo` brings all it needs; "
            'or install "mitmcache[demo]".',
            file=sys.stderr,
        )
        sys.exit(1)
    from mitmcache.demo.play import main

    sys.exit(main())
