"""A provider's server that answers what a test tells it: HTTP/1.1 plain and over TLS, HTTP/2 over TLS."""

import asyncio
import contextlib
import ssl
import threading
from collections import Counter
from typing import Self

import h11

from e2e.answers import Answer, Reply, Seen
from e2e.certs import Certificates
from e2e.upstream_h1 import H1Connection
from e2e.upstream_h2 import H2Server

DEADLINE = 60
UNKNOWN = Answer(status=404, body=b'{"error":{"message":"the test registered no answer for this"}}')


class ScriptedUpstream:
    """All hosts share its two ports; what is answered depends on Host and path.

    It runs in a thread of its own. Its methods may be called from any.
    """

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates
        self.ca_file = certificates.ca
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="upstream", daemon=True)
        self._lock = threading.Lock()
        self._replies: dict[tuple[str, str], Reply] = {}
        self._connections: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []
        self.seen: list[Seen] = []
        self.port = 0
        self.tls_port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self.port, self.tls_port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(
            DEADLINE
        )
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(DEADLINE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        self._loop.close()

    def answer(self, host: str, path: str, reply: Reply) -> None:
        """From now on; `host` as the Host header has it, in lower case, `path` without the query."""
        with self._lock:
            self._replies[host, path] = reply

    def reset(self) -> None:
        """Forgets what was registered and seen; connections stay."""
        with self._lock:
            self._replies.clear()
            self.seen = []

    def count(self, host: str, path: str) -> int:
        return self.counts[host, path]

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        with self._lock:
            return Counter((seen.host, seen.path) for seen in self.seen)

    @property
    def last(self) -> Seen:
        with self._lock:
            return self.seen[-1]

    def _respond(self, seen: Seen) -> Answer:
        with self._lock:
            self.seen.append(seen)
            reply = self._replies.get((seen.host, seen.path), UNKNOWN)
        return reply if isinstance(reply, Answer) else reply(seen)

    async def _listen(self) -> tuple[int, int]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificates.leaf)
        context.set_alpn_protocols(["h2", "http/1.1"])
        for tls in (None, context):
            server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=tls, backlog=2048)
            self._servers.append(server)
        ports = [server.sockets[0].getsockname()[1] for server in self._servers]
        return ports[0], ports[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        tls = writer.get_extra_info("ssl_object")
        try:
            if tls and tls.selected_alpn_protocol() == "h2":
                await H2Server(reader, writer, self._respond).run()
            else:
                await H1Connection(reader, writer, self._respond, tls=bool(tls)).run()
        except (ConnectionError, h11.ProtocolError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await asyncio.wait_for(writer.wait_closed(), DEADLINE)

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._connections):
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections, timeout=DEADLINE / 2)
