"""Head and body of an HTTP/1 message in one piece, where mitmproxy sends two: one TLS record, one write, and
one read at the other end. What is streamed is sent on as it comes."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mitmproxy import http
from mitmproxy.proxy import commands
from mitmproxy.proxy.layers.http._events import HttpEvent, RequestHeaders, ResponseHeaders
from mitmproxy.proxy.layers.http._http1 import Http1Client, Http1Connection, Http1Server

from mitmcache.internals import Function, Shortcut

MOST = 64 * 1024
"""Bytes of a body: to copy a larger one costs more than it saves."""

_HEAD = "_mitmcache_head"

type Orders = Iterable[commands.Command]


def quick_reply(original: Function) -> Function:
    return _joining(original, ResponseHeaders, lambda event: event.response)


def quick_request(original: Function) -> Function:
    return _joining(original, RequestHeaders, lambda event: event.request)


def _joining(
    original: Callable[[Any, HttpEvent], Orders], kind: type, message: Callable[[Any], http.Message]
) -> Function:
    """A head is kept for the body, which mitmproxy sends next without anything between."""

    def send(self: Http1Connection, event: HttpEvent) -> Iterator[commands.Command]:
        kept = vars(self).pop(_HEAD, b"")
        for order in original(self, event):
            if isinstance(order, commands.SendData):
                if type(event) is kind and _has_body(message(event)):
                    vars(self)[_HEAD] = order.data
                    continue
                order.data, kept = kept + order.data, b""
            elif kept:
                yield commands.SendData(self.conn, kept)
                kept = b""
            yield order
        if kept:
            yield commands.SendData(self.conn, kept)

    return send


def _has_body(message: http.Message) -> bool:
    """It is there, and will be sent as a whole."""
    return not message.stream and 0 < len(message.raw_content or b"") <= MOST


SHORTCUTS = (
    Shortcut(
        Http1Server,
        "send",
        quick_reply,
        {
            "proxy.layers.http": "0e7b3474f7febddc",
            "proxy.layers.http._http1": "a2ed8918f1c4a070",
            "proxy.layers.http._http1.Http1Server.send": "cc218a1337c0f5cf",
        },
    ),
    Shortcut(
        Http1Client,
        "send",
        quick_request,
        {"proxy.layers.http._http1.Http1Client.send": "35d961e20d481204"},
    ),
)
