"""The application: who may ask is looked at first, and no answer may be read by others."""

import logging
import secrets

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from mitmcache.gateway import assets, security
from mitmcache.gateway.api import NO_STORE, Api, Bad, Endpoint, answer, known, refused
from mitmcache.gateway.live import Full, Live
from mitmcache.gateway.place import Place
from mitmcache.gateway.security import Asked
from mitmcache.relay.origin import NOBODY, SECRET
from mitmcache.store.base import StoreError

logger = logging.getLogger(__name__)

CAME = "x-mitmcache-came"
"""Header of a request to the app: the port that it has come to, 0 for the proxy's own."""
MOST_NONCE = 128


class App:
    """An ASGI app that answers only who knows its `secret`: the proxy that it is part of."""

    def __init__(self, place: Place) -> None:
        """Reads the dashboard's files, which blocks."""
        self.secret = secrets.token_hex(32)
        self._place = place
        self._assets = assets.load()
        api = Api(place)
        self._reads: dict[str, Endpoint] = {
            "/healthz": self._health,
            "/readyz": self._ready,
            "/metrics": self._metrics,
            "/api/about": api.about,
            "/api/summary": api.summary,
            "/api/calls": api.calls,
            "/api/call": api.call,
            "/api/store": api.store,
            "/api/purge": api.preview,
            "/api/live": self._live,
            **dict.fromkeys(self._assets, self._asset),
        }
        self._changes: dict[str, Endpoint] = {
            "/api/purge": api.purge,
            "/api/mode": api.mode,
            "/api/session": api.session,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            response = await self._answer(Request(scope, receive))
            response.headers.update(_headers(scope))
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        told = request.headers.get(SECRET, "").encode("utf-8", "surrogateescape")
        if not secrets.compare_digest(told, self.secret.encode()):
            return refused(403, "ask the gateway port")
        path = request.scope["path"]
        if path == f"/bodies/{NOBODY}":
            return Response(status_code=204, headers={SECRET: self.secret})
        came = request.scope["came"] = int(request.headers[CAME])
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        asked = Asked(request.method, path, fields, came)
        if refusal := security.refusal(asked, self._place.token):
            return refused(*refusal)
        here, there = self._reads, self._changes
        if request.method == "POST":
            here, there = there, here
        if endpoint := here.get(path):
            return await _safely(endpoint, request)
        if path in there:
            return refused(405, "method: not this one here")
        return refused(404, "path: there is nothing here")

    async def _asset(self, request: Request) -> Response:
        found = self._assets[request.scope["path"]]
        # looked for anew each time: a new version is there at once
        fresh = {"etag": found.etag, "cache-control": "no-cache"}
        if found.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=fresh)
        return Response(found.body, 200, fresh, media_type=found.type)

    async def _health(self, request: Request) -> Response:
        """With a nonce it is proved which proxy this is."""
        known(request, "nonce")
        nonce = request.query_params.get("nonce", "")
        if len(nonce) > MOST_NONCE:
            raise Bad(f"nonce: at most {MOST_NONCE} characters")
        token = self._place.token
        proved = {"proof": security.proof(token, nonce)} if nonce and token else {}
        return answer({"status": "ok", **proved})

    async def _ready(self, request: Request) -> Response:
        known(request)
        why = await self._place.ready()
        return answer({"status": why or "ok"}, 503 if why else 200)

    async def _metrics(self, request: Request) -> Response:
        said = request.headers
        kind, body = await self._place.metrics(said.get("accept", ""), said.get("accept-encoding", ""))
        return Response(body, 200, {**NO_STORE, **kind})

    async def _live(self, request: Request) -> Response:
        known(request)
        kind = {**NO_STORE, "content-type": "text/event-stream; charset=utf-8"}
        if request.method == "HEAD":
            return Response(headers=kind)
        return _Told(self._place.live, kind)


class _Told(StreamingResponse):
    """Takes a reader's place while it is being sent."""

    def __init__(self, live: Live, headers: dict[str, str]) -> None:
        super().__init__(iter(()), 200, headers)
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._live.reader() as reader:
                self.body_iterator = reader.messages()
                await super().__call__(scope, receive, send)
        except Full:
            full = refused(503, "too many are listening; close a tab")
            full.headers.update({**_headers(scope), "retry-after": "30"})
            await full(scope, receive, send)


def _headers(scope: Scope) -> dict[str, str]:
    return dict((*security.HEADERS, security.OPENER) if scope.get("came") else security.HEADERS)


async def _safely(endpoint: Endpoint, request: Request) -> Response:
    try:
        return await endpoint(request)
    except Bad as error:
        return refused(400, str(error))
    except StoreError as error:
        return refused(503, str(error))
    except Exception:
        path = request.scope["path"]
        logger.warning("mitmcache: the gateway could not answer %s", path, exc_info=True)
        return refused(500, "it could not be answered; the log says why")
