"""Recognises the calls that the catalogue names, and lets everything else flow through unbuffered."""

import ipaddress
import re
from urllib.parse import unquote

from mitmproxy import http

from mitmcache.addons.options import Options
from mitmcache.addons.trail import answered, trail_of
from mitmcache.exchange import Call, Headers
from mitmcache.providers import catalogue
from mitmcache.wire.coding import CodingError, decode
from mitmcache.wire.forms import reader_for

_SLASHES = re.compile("/{2,}")
_SCHEME_PORTS = {"http": 80, "https": 443}
MAX_BUFFERED = 1 << 20
"""A larger body that is none of our business is not collected before it is sent on."""


class Calls:
    def __init__(self, options: Options) -> None:
        self._options = options

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if answered(flow):
            return
        request = flow.request
        host = host_of(flow)
        hosts = self._options.current.hosts
        path, _ = _target(request)
        trail_of(flow).route = catalogue.find(host, request.method, path, hosts)
        if trail_of(flow).route is None and (_is_rpc(request) or _is_large(request.headers)):
            request.stream = True

    def request(self, flow: http.HTTPFlow) -> None:
        trail = trail_of(flow)
        if answered(flow) or trail.route is None:
            return
        provider, dialect = trail.route
        path, query = _target(flow.request)
        trail.call = Call(
            provider=provider,
            dialect=dialect,
            method=flow.request.method,
            host=host_of(flow),
            path=path,
            query=query,
            headers=lower(flow.request.headers),
            body=_content(flow.request, self._options.current.max_body),
        )

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        response = flow.response
        if response is None or trail_of(flow).route is not None or trail_of(flow).outcome is not None:
            return
        media_type = response.headers.get("content-type", "")
        if reader_for(media_type) or _is_rpc(response) or _is_large(response.headers):
            response.stream = True


def lower(headers: http.Headers) -> Headers:
    return tuple((name.lower(), value) for name, value in headers.items(multi=True))


def host_of(flow: http.HTTPFlow) -> str:
    """Where the request really goes, with the port where that is not the scheme's own.

    Never the Host header alone: who connects to one host and names another must not be answered, or heard,
    as that other.
    """
    request = flow.request
    host = request.host
    if request.scheme == "https" and flow.client_conn.sni and _is_address(host):
        host = flow.client_conn.sni  # transparent mode: the upstream's certificate is verified for this name
    host = host.lower().rstrip(".")
    return host if request.port == _SCHEME_PORTS.get(request.scheme) else f"{host}:{request.port}"


def _is_address(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _target(request: http.Request) -> tuple[str, str]:
    """Percent-decoded path with repeated slashes collapsed, and the query as sent."""
    path, _, query = request.path.partition("?")
    return _SLASHES.sub("/", unquote(path, errors="surrogateescape")), query


def _content(request: http.Request, limit: int) -> bytes:
    """The body with its content-encoding undone; as sent where that cannot be done."""
    raw = request.raw_content or b""
    coding = request.headers.get("content-encoding", "")
    if not coding or not raw:
        return raw
    try:
        return decode(raw, coding, limit)
    except CodingError:
        return raw


def _is_rpc(message: http.Message) -> bool:
    """gRPC talks both ways at once: collecting its request would wait for ever."""
    media_type: str = message.headers.get("content-type", "").lower()
    return media_type.startswith(("application/grpc", "application/connect+"))


def _is_large(headers: http.Headers) -> bool:
    length = headers.get("content-length", "")
    return length.isdigit() and int(length) > MAX_BUFFERED
