"""Clients of the proxy: ordinary ones, and one that looks at the certificate."""

import json
import socket
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx

from e2e.answers import Answer, Seen
from e2e.certs import issuer_of
from e2e.proxy import ProxyProcess, Stats
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange

TIMEOUT = 60.0
IDENTITY = {"accept-encoding": "identity"}


class _PrefersH2(ssl.SSLContext):
    """httpx offers HTTP/1.1 first, and mitmproxy takes the first offer."""

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        super().set_alpn_protocols(sorted(alpn_protocols))


def trusting(*authorities: Path, h2: bool = False) -> ssl.SSLContext:
    context = (_PrefersH2 if h2 else ssl.SSLContext)(ssl.PROTOCOL_TLS_CLIENT)
    for authority in authorities:
        context.load_verify_locations(authority)
    return context


def client(proxy: ProxyProcess, *, h2: bool = False, user: str = "") -> httpx.Client:
    """Trusts the proxy's authority alone. `user` is `name:password` for the proxy.

    Over h2 it is for one thread: threads may not share a TLS connection. `concurrent` is for calls at once.
    """
    return httpx.Client(**_settings(proxy, h2, user))


def concurrent(proxy: ProxyProcess, *, h2: bool = False) -> httpx.AsyncClient:
    return httpx.AsyncClient(**_settings(proxy, h2))


def _settings(proxy: ProxyProcess, h2: bool, user: str = "") -> dict[str, Any]:
    auth = tuple(user.split(":", 1)) if user else None
    return {
        "proxy": httpx.Proxy(proxy.url, auth=auth),  # type: ignore[arg-type]
        "verify": trusting(proxy.ca_file, h2=h2),
        "http2": h2,
        "trust_env": False,
        "timeout": TIMEOUT,
    }


def request(exchange: Exchange, **headers: str) -> httpx.Request:
    """The exchange's request with nothing added but what HTTP needs; `_` in a name stands for `-`."""
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    named = {**IDENTITY, **extra}
    return httpx.Request(
        exchange.method, exchange.url, headers=[*exchange.headers, *named.items()], content=exchange.body
    )


def send(through: httpx.Client, exchange: Exchange, **headers: str) -> httpx.Response:
    return through.send(request(exchange, **headers))


def answer_of(exchange: Exchange) -> Answer:
    """What the upstream says in this exchange, framed as such servers do."""
    headers = (("content-type", exchange.reply_type), *exchange.reply_headers)
    return Answer(headers=headers, body=exchange.reply, events=exchange.events or None)


def either(whole: Exchange, stream: Exchange) -> Callable[[Seen], Answer]:
    """What is asked for with `stream: true` and without it."""

    def reply(seen: Seen) -> Answer:
        return answer_of(stream if json.loads(seen.body).get("stream") else whole)

    return reply


def register(upstream: ScriptedUpstream, exchange: Exchange, answer: Answer | None = None) -> None:
    """Two exchanges may share a path: registering one replaces the other."""
    upstream.answer(exchange.host, exchange.path, answer or answer_of(exchange))


def calls(upstream: ScriptedUpstream, exchange: Exchange) -> list[Seen]:
    """What of this exchange's calls has reached the upstream."""
    path = exchange.path
    return [seen for seen in upstream.seen if (seen.host, seen.path) == (exchange.host, path)]


def certificate_issuer(
    proxy: ProxyProcess, host: str, trusted: ssl.SSLContext | None = None, port: int = 443
) -> str:
    """Who signed what a client sees behind CONNECT. Raises ssl.SSLError as that client would."""
    context = trusted
    if context is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", proxy.port), TIMEOUT) as raw:
        raw.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        reply = b""
        while not reply.endswith(b"\r\n\r\n"):
            got = raw.recv(1)
            assert got, f"CONNECT was answered with {reply!r}"
            reply += got
        assert reply.split()[1] == b"200", reply
        with context.wrap_socket(raw, server_hostname=host) as tls:
            der = tls.getpeercert(binary_form=True)
    assert der
    return issuer_of(der)


def store(through: httpx.Client, proxy: ProxyProcess, exchange: Exchange, **headers: str) -> httpx.Response:
    """Makes the call that fills the cache, and returns when its answer is in the store."""
    before = proxy.stats()["stored"]
    reply = send(through, exchange, **headers)
    assert reply.headers["x-cache"] == "MISS", dict(reply.headers)
    # more, where what an earlier test has not waited for is written only now
    proxy.wait_stats(lambda stats: stats["stored"] > before)
    return reply


def outcome(reply: httpx.Response) -> str:
    """The word of the outcome, "" where the proxy says nothing of one."""
    return str(reply.headers.get("x-cache", ""))


def dropped_one(proxy: ProxyProcess, before: Stats) -> None:
    """Waits until one more reply was heard and not kept, and makes sure that none was."""
    count = sum(before["dropped"].values())
    after = proxy.wait_stats(lambda stats: sum(stats["dropped"].values()) > count)
    assert (sum(after["dropped"].values()), after["stored"]) == (count + 1, before["stored"])
