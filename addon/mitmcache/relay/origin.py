"""The application: each path is good once, and only for who knows the secret."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

logger = logging.getLogger(__name__)

SECRET = "x-mitmcache-relay"
"""Header of a request to the relay, and of its answer, so that each knows the other."""
NOBODY = "nobody"
"""The path /bodies/nobody proves to who knows the secret that it is us."""
MOST_WAITING = 2 << 20
LOOK_AGAIN = 0.02
"""Seconds."""
STALLED = 600.0
"""Seconds after which a caller that takes nothing more is left."""
_THREADS = 4


class Body:
    """What is sent to one caller, and closed in any case. `pieces` blocks.

    `pressure` says how many bytes of it wait somewhere on the way: to more than MOST_WAITING none are added.
    """

    def __init__(
        self, pieces: Iterator[bytes], close: Callable[[], None], pressure: Callable[[], int] = lambda: 0
    ) -> None:
        self._pieces = pieces
        self._close = close
        self._pressure = pressure
        self._reading: asyncio.Future[bytes] | None = None

    async def send(self, pool: ThreadPoolExecutor) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.wait_for(self._calm(), STALLED)
            self._reading = loop.run_in_executor(pool, next, self._pieces, b"")
            # a caller that leaves does not end the thread, and a file that is being read is not closed
            piece = await asyncio.shield(self._reading)
            if not piece:
                return
            yield piece

    async def _calm(self) -> None:
        while self._pressure() > MOST_WAITING:  # noqa: ASYNC110 - nobody would set an event
            await asyncio.sleep(LOOK_AGAIN)

    def close(self) -> None:
        """Now, or when the thread is done with it."""
        if self._reading and not self._reading.done():
            self._reading.add_done_callback(self._read)
        else:
            self._close()

    def _read(self, reading: "asyncio.Future[bytes]") -> None:
        if not reading.cancelled():
            reading.exception()  # nobody is there to hear of it
        self._close()


class Origin:
    """Only for the event loop's thread. `cut` breaks the connection of a request, given its scope."""

    def __init__(self, cut: Callable[[Scope], None]) -> None:
        self._cut = cut
        self._sending: dict[str, Scope] = {}
        self.secret = secrets.token_hex(32)
        self.app = Starlette(routes=[Route("/bodies/{token}", self._serve, methods=["GET"])])
        self._offered: dict[str, Body] = {}
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="mitmcache-relay")

    def offer(self, body: Body) -> str:
        """The path under which the body can be had, once. Not fetched, it has to be withdrawn."""
        token = secrets.token_hex(32)
        self._offered[token] = body
        return f"/bodies/{token}"

    def withdraw(self, path: str) -> None:
        """The end of a body, whether it was fetched or not; one that is being sent is cut off."""
        token = path.rpartition("/")[2]
        if body := self._offered.pop(token, None):
            body.close()
        elif scope := self._sending.get(token):
            self._cut(scope)

    def close(self) -> None:
        while self._offered:
            _, body = self._offered.popitem()
            body.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _serve(self, request: Request) -> Response:
        told = request.headers.get(SECRET, "").encode("utf-8", "surrogateescape")
        if not secrets.compare_digest(told, self.secret.encode()):
            return PlainTextResponse("not for you\n", 403)
        token = request.path_params["token"]
        if token == NOBODY:
            return Response(status_code=204, headers={SECRET: self.secret})
        body = self._offered.pop(token, None)
        if body is None:
            return PlainTextResponse("no such body\n", 404)
        streamed = StreamingResponse(body.send(self._pool), 200, {SECRET: self.secret})
        return _Sending(lambda *asgi: self._send(token, body, streamed, *asgi))

    async def _send(
        self, token: str, body: Body, streamed: Response, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._sending[token] = scope
        try:
            await streamed(scope, receive, send)
        except Exception as error:
            # so that what was sent is not taken for all of it
            logger.warning("mitmcache: a large answer broke off: %s", error)
            self._cut(scope)
            await asyncio.sleep(0)  # until the server has heard of it: else it complains of the short answer
        finally:
            del self._sending[token]
            body.close()


class _Sending(Response):
    """What Starlette calls to have a request answered."""

    def __init__(self, answer: ASGIApp) -> None:
        super().__init__()
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(scope, receive, send)
