"""`python -m mitmcache.large`: does one job, given as a line of JSON, and tells its outcome as another.

It ends when its standard input does: with the proxy, however that ends.
"""

import json
import os
import sys
import threading

from mitmcache.large.work import Job, work


def main() -> None:
    job = Job.from_json(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(10)  # callers are waiting for the proxy, and nobody for this
    outcome = work(job)
    told = {"size": outcome} if isinstance(outcome, int) else {"reason": outcome.value}
    os.write(1, json.dumps(told).encode())


def _end_with_parent() -> None:
    # not sys.stdin, whose lock a blocked thread would hold while the interpreter ends
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    main()
