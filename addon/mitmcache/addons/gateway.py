"""The gateway port: a listener of this same proxy, and `http://llm.cache/` through it, led to our own app.

What comes here is not traffic that anybody watches: no other addon hears of it, so that it is neither cached
nor counted, nor in mitmweb's list, nor in mitmdump's log.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

from mitmproxy import connection, ctx, exceptions, http
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode
from mitmproxy.proxy.layers.modes import ReverseProxy

from mitmcache.addons import asking, listeners
from mitmcache.addons.control import CONTROL_PATHS
from mitmcache.addons.listeners import CONTROL_HOST, GATEWAY
from mitmcache.addons.options import Options
from mitmcache.addons.place import ProxyPlace
from mitmcache.addons.quiet import Quiet
from mitmcache.addons.trail import answered
from mitmcache.launch.note import TETHERED

if TYPE_CHECKING:
    from mitmcache.gateway.app import App
    from mitmcache.relay.server import Loopback

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
CLOSE = 2.0
READS = ("GET", "HEAD")
PINNED = {
    # mitmproxy would write its own into it before we could see which name the client has used
    "keep_host_header": True,
    "store_streamed_bodies": False,
    "stream_large_bodies": None,
    "body_size_limit": "16m",
}


class Gateway:
    def __init__(self, options: Options, place: ProxyPlace) -> None:
        self._options = options
        self.place = place
        self._quiet = Quiet()
        self._port: int | None = None
        self._ours: WeakSet[http.HTTPFlow] = WeakSet()
        self._here: WeakKeyDictionary[http.HTTPFlow, int] = WeakKeyDictionary()
        self._opening = asyncio.Lock()
        self._opened: tuple[App, Loopback] | None = None
        self._alone = False

    def configure(self, updated: set[str]) -> None:
        if self._port is not None and self._options.current.gateway_port != self._port:
            raise exceptions.OptionsError("llm_gateway_port: is read at the start; restart to change it")

    def running(self) -> "asyncio.Task[None]":
        # a plain function that returns a task: mitmproxy awaits it at the start, and cannot on a hot reload
        self._port = self._options.current.gateway_port
        return asyncio.create_task(self._listen(self._port))

    def done(self) -> "asyncio.Task[None] | None":
        self._quiet.end()
        # the listener stays in the option: after a hot reload it is there already
        return asyncio.create_task(self._opened[1].close(CLOSE)) if self._opened else None

    def next_layer(self, nextlayer: NextLayer) -> None:
        context = nextlayer.context
        if (
            nextlayer.layer is None
            and _is_ours(context.client)
            and isinstance(context.layers[-1], ReverseProxy)
        ):
            context.options = _Pinned(context.options)  # type: ignore[assignment]
            # else it would be asked whether the user's ignore_hosts means it
            nextlayer.layer = HttpLayer(context, HTTPMode.transparent)

    def requestheaders(self, flow: http.HTTPFlow) -> Coroutine[None, None, None] | None:
        came = _came(flow)
        if came is None:
            return None  # without a coroutine: all the traffic comes by here
        if not answered(flow):
            return self._take(flow, came)
        if came:  # proxyauth has refused it
            self._ours.add(flow)
            raise exceptions.AddonHalt
        return None

    def request(self, flow: http.HTTPFlow) -> Coroutine[None, None, None] | None:
        if (came := self._here.get(flow)) is not None:
            return self._answer(flow, came)
        self._keep(flow)
        return None

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        if flow in self._ours and flow not in self._here and flow.response:
            flow.response.stream = True
        self._keep(flow)

    def response(self, flow: http.HTTPFlow) -> None:
        self._keep(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        if flow in self._ours and self._opened:
            # where its client leaves, mitmproxy may forget to close the connection to its server
            sent = asking.FLOW.encode(), flow.id.encode()
            self._opened[1].cut(lambda scope: scope is not None and sent in scope["headers"])
        self._keep(flow)

    async def _take(self, flow: http.HTTPFlow, came: int) -> None:
        self._ours.add(flow)
        # first of all: what is asked of us must never go upstream, whatever fails below
        flow.response = asking.unavailable()
        try:
            app, port = await self._reach()
        except Exception as error:
            if self._opened is None:
                logger.warning("mitmcache: the gateway does not answer: %s", error)
                raise exceptions.AddonHalt from None
            if not self._alone:
                logger.info("mitmcache: the gateway answers as a whole what could be told live: %s", error)
            self._alone = True
            self._here[flow] = came
            flow.response = None
        else:
            self._lead(flow, app, port, came)
            flow.response = None
        raise exceptions.AddonHalt

    async def _answer(self, flow: http.HTTPFlow, came: int) -> None:
        assert self._opened
        await asking.answer(flow, self._opened[0], came)
        raise exceptions.AddonHalt

    def _keep(self, flow: http.HTTPFlow) -> None:
        """From all addons behind this one."""
        if flow in self._ours:
            raise exceptions.AddonHalt

    async def _listen(self, port: int) -> None:
        await self.place.open()
        if port == 0 or os.environ.get(TETHERED) or not ctx.options.server:
            return
        self._quiet.begin()
        spec = f"{GATEWAY}@{LOOPBACK}:{port}"
        try:
            if spec not in ctx.options.mode:
                # mitmproxy would end where it cannot listen
                socket.create_server((LOOPBACK, port)).close()
                ctx.options.update(mode=[*ctx.options.mode, spec])
            await ctx.master.addons.get("proxyserver").setup_servers()
        except (OSError, exceptions.OptionsError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            logger.warning(
                "mitmcache: no dashboard at %s:%d: %s; set llm_gateway_port to another port, or to 0",
                LOOPBACK,
                port,
                why,
            )

    async def _reach(self) -> "tuple[App, int]":
        """Imported and begun at the first need: a proxy whose dashboard nobody opens has nothing of it."""
        async with self._opening:
            if self._opened is None:
                app = await asyncio.to_thread(_make, self.place)
                from mitmcache.relay.server import Loopback

                self._opened = app, Loopback(app, app.secret)
        app, loopback = self._opened
        return app, await loopback.port()

    def _lead(self, flow: http.HTTPFlow, app: "App", port: int, came: int) -> None:
        request = flow.request
        asking.sign(flow, app, came)
        request.data.scheme, request.data.host, request.data.port = b"http", LOOPBACK, port
        request.data.authority = b""
        # a new one, not that of the client's connection: it has no parent proxy to go through
        flow.server_conn = connection.Server(address=(LOOPBACK, port))


class _Pinned:
    """The options, for what passes through one connection, but for some."""

    def __init__(self, options: Any) -> None:
        self._options = options

    def __getattr__(self, name: str) -> Any:
        return PINNED[name] if name in PINNED else getattr(self._options, name)


def _make(place: ProxyPlace) -> "App":
    from mitmcache.gateway.app import App

    return App(place)


def _is_ours(client: connection.Client) -> bool:
    return listeners.is_gateway(client.proxy_mode)


def _came(flow: http.HTTPFlow) -> int | None:
    """The gateway port that it came to, 0 for what is read through the proxy; else it is not for us."""
    if _is_ours(flow.client_conn):
        return int(flow.client_conn.sockname[1])
    if flow.request.data.host.lower() != CONTROL_HOST or flow.request.method not in READS:
        return None
    return None if flow.request.path.partition("?")[0] in CONTROL_PATHS else 0
