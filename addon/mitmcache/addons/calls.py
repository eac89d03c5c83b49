"""Recognises the calls that the catalogue names, and lets everything else flow through unbuffered."""

import asyncio
import ipaddress
import re
from collections.abc import Coroutine
from contextlib import suppress
from functools import lru_cache
from urllib.parse import unquote

from mitmproxy import http

from mitmcache.addons.options import Options
from mitmcache.addons.trail import Trail, answered, new_trail, trail_of
from mitmcache.exchange import Call, Headers, header
from mitmcache.providers import catalogue
from mitmcache.reasons import Reason
from mitmcache.threads import INLINE
from mitmcache.wire.coding import CodingError, TooLarge, decode
from mitmcache.wire.forms import reader_for

_SLASHES = re.compile("/{2,}")
_SCHEME_PORTS = {"http": 80, "https": 443}
PATHS = 128
"""Paths that are remembered: nearly all calls have the same few, and none is longer than mitmproxy takes."""
MAX_BUFFERED = 1 << 20
"""A larger body that is none of our business is not collected before it is sent on."""


class Calls:
    def __init__(self, options: Options) -> None:
        self._options = options

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        trail = new_trail(flow)
        if answered(flow):
            return
        request = flow.request
        path, _ = target(request)
        trail.named, trail.host = _named(flow), host_of(flow)
        trail.route = catalogue.find(trail.host, request.method, path, self._options.current.hosts)
        if trail.route is None and (_is_rpc(request) or length(request.headers) > MAX_BUFFERED):
            request.stream = True

    def request(self, flow: http.HTTPFlow) -> Coroutine[None, None, None] | None:
        trail = trail_of(flow)
        if answered(flow) or trail.route is None:
            return None
        request = flow.request
        if request.stream:
            # the user's stream_large_bodies: it has gone upstream already, and nobody heard what it was
            trail.route = None
            return None
        headers, raw = lower(request.headers), request.raw_content or b""
        coding = header(headers, "content-encoding")
        if coding and raw:
            return self._decoded(flow, trail, headers, raw, coding)
        _note(flow, trail, headers, raw, None)
        return None  # without a coroutine: mitmproxy then needs no task

    async def _decoded(
        self, flow: http.HTTPFlow, trail: Trail, headers: Headers, raw: bytes, coding: str
    ) -> None:
        _note(flow, trail, headers, *await _content(raw, coding, self._options.current.max_body))

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        response = flow.response
        if response is None or trail_of(flow).route is not None:
            return
        media_type = response.headers.get("content-type", "")
        if reader_for(media_type) or _is_rpc(response) or length(response.headers) > MAX_BUFFERED:
            response.stream = True


def _note(flow: http.HTTPFlow, trail: Trail, headers: Headers, body: bytes, unread: Reason | None) -> None:
    assert trail.route
    provider, dialect = trail.route
    path, query = target(flow.request)
    trail.call = Call(
        provider=provider,
        dialect=dialect,
        method=flow.request.method,
        scheme=flow.request.scheme,
        # a script may have sent the call elsewhere since its headers came
        host=host_of(flow) if moved(flow, trail) else trail.host,
        path=path,
        query=query,
        headers=headers,
        body=body,
        unread=unread,
    )


def proxy_user(flow: http.HTTPFlow) -> str:
    """The user name that mitmproxy's own proxyauth has verified, "" without one."""
    user, *_ = flow.metadata.get("proxyauth") or ("",)
    return str(user)


def lower(headers: http.Headers) -> Headers:
    # `items` would do so too, at several times the cost
    return tuple(
        [
            (name.decode("utf-8", "surrogateescape").lower(), value.decode("utf-8", "surrogateescape"))
            for name, value in headers.fields
        ]
    )


def length(headers: http.Headers) -> int:
    """What Content-Length says, 0 where it says nothing."""
    value = headers.get("content-length", "")
    return int(value[:18]) if value.isascii() and value.isdigit() else 0


def host_of(flow: http.HTTPFlow) -> str:
    """Who will answer, with the port where that is not the scheme's own; "" where several are named.

    Anybody can write a provider's name into a Host header, or ask a provider's front for another's host:
    such a call must not be answered, or heard, as that provider's.
    """
    request = flow.request
    names = {_name(request.host), _name(request.pretty_host)}
    if sni := _upstream_sni(flow):
        names.add(_name(sni))
        if len(names) > 1 and _is_address(request.host):  # transparent mode knows the address alone
            names.discard(_name(request.host))
    if len(names) > 1:
        return ""
    (host,) = names
    return host if request.port == _SCHEME_PORTS.get(request.scheme) else f"{host}:{request.port}"


def moved(flow: http.HTTPFlow, trail: Trail) -> bool:
    """False: `host_of` gives what it gave when the call's headers came."""
    return _named(flow) != trail.named


def _named(flow: http.HTTPFlow) -> tuple[object, ...]:
    """All that `host_of` goes by. To compare costs little where nothing has changed."""
    data, server = flow.request.data, flow.server_conn
    said = data.host, data.port, data.scheme, data.authority, data.headers.fields, data.http_version
    return *said, server.address, server.sni, flow.client_conn.sni


def _upstream_sni(flow: http.HTTPFlow) -> str:
    """The name that mitmproxy will ask the upstream for, and check its certificate against; "" if unknown."""
    request, server = flow.request, flow.server_conn
    if request.scheme != "https" or not server.address or server.address[:2] != (request.host, request.port):
        return ""
    return server.sni or flow.client_conn.sni or ""


def _name(host: str) -> str:
    """As the catalogue writes it: lower-case, ASCII, IPv6 in brackets."""
    host = host.lower().rstrip(".")
    if not host.isascii():
        with suppress(UnicodeError):
            host = host.encode("idna").decode()
    return f"[{host}]" if ":" in host else host


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def target(request: http.Request) -> tuple[str, str]:
    """Percent-decoded path with repeated slashes collapsed, and the query as sent."""
    path, _, query = request.path.partition("?")
    return _plain(path), query


@lru_cache(PATHS)
def _plain(path: str) -> str:
    return _SLASHES.sub("/", unquote(path, errors="surrogateescape"))


async def _content(raw: bytes, coding: str, limit: int) -> tuple[bytes, Reason | None]:
    """The body with its content-encoding undone; as sent, and why, where that cannot be done."""
    try:
        with suppress(TooLarge):
            return decode(raw, coding, min(INLINE, limit)), None
        return await asyncio.to_thread(decode, raw, coding, limit), None
    except TooLarge:
        return raw, Reason.TOO_LARGE
    except CodingError:
        return raw, Reason.ENCODING


def _is_rpc(message: http.Message) -> bool:
    """gRPC talks both ways at once: collecting its request would wait for ever."""
    media_type: str = message.headers.get("content-type", "").lower()
    return media_type.startswith(("application/grpc", "application/connect+"))
