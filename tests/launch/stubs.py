"""A stand-in for a proxy, which says one thing to everybody."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Saying(ThreadingHTTPServer):
    """`seen` has the headers of every request."""

    daemon_threads = True

    def __init__(self, status: int, body: bytes) -> None:
        self.status, self.body = status, body
        self.seen: list[dict[str, str]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Saying

    def do_GET(self) -> None:
        self.server.seen.append({"path": self.path, **self.headers})
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_CONNECT = do_GET

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def saying(status: int, body: bytes) -> Iterator[Saying]:
    with Saying(status, body) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
