"""A server that takes messages as it is told to."""

import ssl
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self


class Posted(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes


class Hook:
    """Answers with these statuses in turn, the last of them ever after; 0: never."""

    def __init__(self, statuses: Sequence[int] = (200,), tls: ssl.SSLContext | None = None) -> None:
        self.posted: list[Posted] = []
        self.came = threading.Semaphore(0)
        self._statuses = list(statuses)
        self._end = threading.Event()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hook._take(self, Posted(self.path, {k.lower(): v for k, v in self.headers.items()}, body))

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._server.shutdown()
        self._server.server_close()

    def _take(self, handler: BaseHTTPRequestHandler, posted: Posted) -> None:
        self.posted.append(posted)
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        self.came.release()
        if not status:
            self._end.wait(600)
            return
        handler.send_response(status)
        handler.send_header("content-length", "0")
        handler.send_header("location", "/elsewhere")
        handler.end_headers()
