"""A mitmproxy script: mitmdump doing the same without a cache.

With BENCH_ANSWER, a file, it answers every request with those bytes: the least that a hit can cost. Without,
it forwards, and passes event streams on chunk by chunk.
"""

import os
import sys
from pathlib import Path

from mitmproxy import ctx, http


class Ready:
    def running(self) -> None:
        [(host, port, *_)] = ctx.master.addons.get("proxyserver").listen_addrs()
        sys.stderr.write(f"ready: proxy http://{host}:{port}\n")
        sys.stderr.flush()


class Answering:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def request(self, flow: http.HTTPFlow) -> None:
        flow.response = http.Response.make(200, self._body, {"content-type": "application/json"})


class Forwarding:
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        assert flow.response
        if flow.response.headers.get("content-type", "").startswith("text/event-stream"):
            flow.response.stream = True


answer = os.environ.get("BENCH_ANSWER")
addons = [Ready(), Answering(Path(answer).read_bytes()) if answer else Forwarding()]
