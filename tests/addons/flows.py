"""Flows as mitmproxy makes them, and the order in which it calls hooks: the one place that knows its test
helpers, for which it gives no guarantee."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mitmproxy import connection, http
from mitmproxy.addonmanager import AddonManager
from mitmproxy.addons.proxyauth import ProxyAuth
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.flow import Error
from mitmproxy.hooks import ConfigureHook, Hook
from mitmproxy.proxy.layers.http._hooks import (
    HttpErrorHook,
    HttpRequestHeadersHook,
    HttpRequestHook,
    HttpResponseHeadersHook,
    HttpResponseHook,
)
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import taddons, tflow, tutils

from exchanges.base import Exchange
from mitmcache.addons import default_addons
from mitmcache.addons.history import CallHistory
from mitmcache.addons.options import Options
from mitmcache.addons.storage import Storage
from mitmcache.providers.base import Provider
from mitmcache.settings import Settings

CHUNK = 50
"""Bytes of a stream that arrive at once: less than an event."""
PATIENCE = 60.0
"""Seconds for what is judged and written; only to end a test that hangs."""

context = taddons.context


def headers_of(pairs: Iterable[tuple[str, str]]) -> http.Headers:
    return http.Headers([(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in pairs])


def dialled(flow: http.HTTPFlow) -> connection.Server:
    """A connection to the flow's destination that is, or was, open."""
    server = tflow.tserver_conn()
    server.address, server.sni = (flow.request.host, flow.request.port), flow.client_conn.sni
    return server


def flow(
    method: str = "POST",
    url: str = "https://api.openai.com/v1/chat/completions",
    body: bytes = b"{}",
    headers: Iterable[tuple[str, str]] = (),
    *,
    named: str | None = "",
    sni: str | None = "",
    server_sni: str | None = None,
    mode: str = "regular",
    version: str = "HTTP/1.1",
) -> http.HTTPFlow:
    """A request that has reached the proxy, upstream not yet dialled.

    `url` says where it goes, `named` what its Host or :authority names (None: nothing), `sni` what the client
    said in TLS; where they are left out, the url's own host.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    made = tutils.treq(
        method=method.encode(),
        scheme=parts.scheme.encode(),
        host=host,
        port=parts.port or {"http": 80, "https": 443}[parts.scheme],
        path=(parts.path + (f"?{parts.query}" if parts.query else "")).encode(),
        http_version=version.encode(),
        headers=headers_of(headers),
        content=body,
    )
    if "content-length" not in made.headers:
        made.headers["content-length"] = str(len(body))
    own = f"[{host}]" if ":" in host else host.encode("idna").decode()
    name = own if named == "" else named
    if name is not None and version == "HTTP/1.1":
        made.headers.insert(0, "Host", name)
    elif name is not None:
        made.authority = name
    client, server = tflow.tclient_conn(), connection.Server(address=(made.host, made.port))
    client.proxy_mode = ProxyMode.parse(mode)
    client.sni = None if made.scheme == "http" else host if sni == "" else sni
    server.sni = server_sni
    return tflow.tflow(client_conn=client, server_conn=server, req=made)


def flow_of(exchange: Exchange, **headers: str) -> http.HTTPFlow:
    """The exchange's request, with some headers more; `_` in a name stands for `-`."""
    more = ((name.replace("_", "-"), value) for name, value in headers.items())
    return flow(exchange.method, exchange.url, exchange.body, (*exchange.headers, *more))


def response(
    body: bytes = b"", headers: Iterable[tuple[str, str]] = (), status: int = 200, *, length: bool = True
) -> http.Response:
    """An upstream's, or another addon's. With `length`, its Content-Length is told."""
    pairs = [*headers, *([("content-length", str(len(body)))] if length else [])]
    return tutils.tresp(status_code=status, headers=headers_of(pairs), content=body, trailers=None)


def reply_of(exchange: Exchange, *more: tuple[str, str]) -> http.Response:
    """What the exchange's server answers; a stream comes in chunks, without a length."""
    kinds = (("content-type", exchange.reply_type), *exchange.reply_headers, *more)
    if exchange.reply:
        return response(exchange.reply, kinds)
    return response(exchange.answer, (*kinds, ("transfer-encoding", "chunked")), length=False)


def edit(flow: http.HTTPFlow, content: bytes) -> None:
    """As mitmweb does it for its user."""
    flow.backup()
    flow.request.content = content


def configured(manager: AddonManager, addon: object, *names: str) -> None:
    """What changed are the options of these names; without one, all are new, as they are to a script."""
    updated = set(names) or set(manager.master.options.keys())
    manager.invoke_addon_sync(addon, ConfigureHook(updated))


class Rig:
    """The whole pipeline on a data folder of its own, and mitmproxy's way with one flow.

    Hooks are called one by one, so that what one raises fails the test: mitmproxy itself would log it.
    """

    def __init__(self, folder: Path, **options: str) -> None:
        self.context = taddons.context(Proxyserver(), ProxyAuth())
        self.options = self.context.options
        self.manager: AddonManager = self.context.master.addons
        self.pipeline = default_addons()
        self.add(*self.pipeline)
        self.options.update(llm_data_dir=str(folder / "data"), **options)
        for addon in self.pipeline:
            configured(self.manager, addon)
        self.storage = self.get(Storage)

    def get[T](self, kind: type[T]) -> T:
        [found] = [addon for addon in self.pipeline if isinstance(addon, kind)]
        return found

    def hosts(self, *hosts: tuple[str, Provider]) -> None:
        """Adds hosts that no option can name: made-up providers."""
        options = self.get(Options)
        options.current = with_hosts(options.current, *hosts)

    def add(self, *addons: object) -> None:
        """Puts addons behind those that are there, as mitmproxy does with its own and with later scripts."""
        self.manager.add(*addons)
        self.pipeline = [*self.pipeline, *(addon for addon in addons if addon not in self.pipeline)]

    async def trigger(self, hook: Hook) -> None:
        for addon in self.pipeline:
            await self.manager.invoke_addon(addon, hook)

    async def ask(self, flow: http.HTTPFlow) -> http.HTTPFlow:
        """Up to where it goes upstream, or is answered."""
        await self.trigger(HttpRequestHeadersHook(flow))
        await self.trigger(HttpRequestHook(flow))
        return flow

    async def headers(self, flow: http.HTTPFlow, upstream: http.Response) -> None:
        """Upstream is dialled and its head is there."""
        flow.server_conn = dialled(flow)
        flow.response = upstream
        upstream.timestamp_start = 0.0
        await self.trigger(HttpResponseHeadersHook(flow))

    async def reply(self, flow: http.HTTPFlow, upstream: http.Response) -> list[bytes]:
        """The whole reply. What goes to the client: chunk by chunk, or all at once after the last hook."""
        body, upstream.raw_content = upstream.raw_content or b"", None
        await self.headers(flow, upstream)
        sent = feed(upstream, *(body[at : at + CHUNK] for at in range(0, len(body), CHUNK)), b"")
        if not upstream.stream:
            upstream.raw_content = body
        await self.trigger(HttpResponseHook(flow))
        assert flow.response
        return self.ended(flow, sent if upstream.stream else [flow.response.raw_content or b""])

    async def call(self, flow: http.HTTPFlow, upstream: http.Response | None = None) -> http.HTTPFlow:
        """From the client and back to it. Without an upstream, the call must be answered in the proxy."""
        await self.ask(flow)
        if flow.response is None:
            assert upstream, "it would go upstream"
            await self.reply(flow, upstream)
        else:
            await self.trigger(HttpResponseHeadersHook(flow))
            await self.trigger(HttpResponseHook(flow))
        return self.ended(flow, flow)

    async def fail(self, flow: http.HTTPFlow, message: str = "Client disconnected.") -> None:
        flow.error = Error(message)
        await self.trigger(HttpErrorHook(flow))
        flow.live = False

    def ended[T](self, flow: http.HTTPFlow, value: T) -> T:
        flow.live = False
        return value

    async def repeat(self, exchange: Exchange, times: int = 2, **headers: str) -> list[str]:
        """What becomes of the same call, asked again and again of an upstream that answers the same."""
        told = [await self.call(flow_of(exchange, **headers), reply_of(exchange)) for _ in range(times)]
        return [word(each) for each in told]

    async def stored(self) -> dict[str, Any]:
        """The statistics, when all that was handed over has been judged and written on a busy machine too."""
        await self.storage.keeper.drain(PATIENCE)
        if disk := self.storage.stores.disk:
            await disk.flush(PATIENCE)
        return await self.storage.statistics()

    async def close(self) -> None:
        for closing in (self.storage.done(), self.get(CallHistory).done()):
            if closing:
                await asyncio.wait_for(closing, PATIENCE)


def feed(response: http.Response, *chunks: bytes) -> list[bytes]:
    """What a streamed response sends on for these chunks; nothing of one that is not streamed."""
    if not callable(response.stream):
        return [chunk for chunk in chunks if chunk] if response.stream else []
    sent = [response.stream(chunk) for chunk in chunks]
    return [piece for made in sent for piece in ([made] if isinstance(made, bytes) else made)]


def word(flow: http.HTTPFlow) -> str:
    """What the client was told: HIT, MISS and so on; "" for nothing."""
    assert flow.response
    return str(flow.response.headers.get("x-cache", ""))


def status(flow: http.HTTPFlow) -> str:
    assert flow.response
    return str(flow.response.headers.get("cache-status", ""))


def with_hosts(current: Settings, *hosts: tuple[str, Provider]) -> Settings:
    """Settings with hosts of the user's own."""
    return replace(current, hosts=hosts)
