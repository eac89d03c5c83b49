"""Who may ask what of the gateway. Pure: a request's facts in, a refusal or None out.

The listener is on loopback, so a program that asks runs on this machine; but so does the browser, and any web
page in it can send requests here. Pages are told by what browsers say of them (Host, Origin, Sec-Fetch-*),
and whoever wants to change something shows the token, in a header that no page of another origin can send.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

TOKEN = "x-mitmcache-token"
PROXY_HOST = "llm.cache"
LOCAL = ("localhost", "127.0.0.1", "[::1]")
READS = frozenset({"GET", "HEAD"})
MOST_BODY = 16 * 1024
"""Bytes of a request."""

HEADERS = (
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
)
"""Of every answer. There is no header of CORS: no other origin may read anything."""
OPENER = ("cross-origin-opener-policy", "same-origin")
"""Of what comes from the port: through the proxy browsers do not trust the way, and complain of it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`headers` in lower case, as sent. `port` is the gateway port where it came to that; 0: by the proxy."""

    method: str
    path: str
    headers: Sequence[tuple[str, str]]
    port: int

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def get(self, name: str) -> str:
        return ", ".join(self.all(name))


class Refusal(NamedTuple):
    status: HTTPStatus
    why: str


def refusal(asked: Asked, token: str) -> Refusal | None:
    """None: it may be answered. Without a token nothing may be changed."""
    host = asked.get("host").lower()
    if host not in hosts(asked.port):
        return Refusal(HTTPStatus.MISDIRECTED_REQUEST, "Host: this is not a name of this server")
    if asked.method not in READS and asked.method != "POST":
        return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "method: GET, HEAD and POST only")
    if why := _foreign(asked, host):
        return Refusal(HTTPStatus.FORBIDDEN, why)
    return None if asked.method in READS else _changes(asked, token)


def hosts(port: int) -> frozenset[str]:
    """What a Host header may say: any other is a name that somebody has made lead here."""
    if port == 0:
        return frozenset({PROXY_HOST, f"{PROXY_HOST}:80", f"{PROXY_HOST}:443"})
    return frozenset(f"{name}:{port}" for name in LOCAL)


def same(told: str, token: str) -> bool:
    """Takes as long for a wrong one. "" is nobody's token."""
    return bool(token) and hmac.compare_digest(told.encode("utf-8", "surrogateescape"), token.encode())


def proof(token: str, nonce: str) -> str:
    """Shows who knows the token, and not the token."""
    return hmac.new(token.encode(), b"mitmcache gateway " + nonce.encode(), "sha256").hexdigest()


def _foreign(asked: Asked, host: str) -> str:
    """Why a web page of another origin seems to ask, else ""."""
    ours = {f"http://{host}"} if asked.port else {f"http://{PROXY_HOST}", f"https://{PROXY_HOST}"}
    if any(origin not in ours for origin in asked.all("origin")):
        return "Origin: pages of other origins may not ask"
    site = asked.get("sec-fetch-site")
    if site in ("", "same-origin", "none"):
        return ""
    # a link to the dashboard, from wherever, may be followed: who has the link cannot see what it leads to
    opened = asked.get("sec-fetch-mode") == "navigate" and asked.get("sec-fetch-dest") == "document"
    if asked.method in READS and asked.path == "/" and opened:
        return ""
    return "Sec-Fetch-Site: pages of other origins may not ask"


def _changes(asked: Asked, token: str) -> Refusal | None:
    if asked.port == 0:
        return Refusal(HTTPStatus.FORBIDDEN, "nothing can be changed through the proxy: use the gateway port")
    if not same(asked.get(TOKEN), token):
        return Refusal(HTTPStatus.UNAUTHORIZED, f"{TOKEN}: `mitmcache dashboard` prints a link with it")
    if asked.get("content-type").partition(";")[0].strip().lower() != "application/json":
        return Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "content-type: application/json only")
    length = asked.get("content-length")
    if not (length.isascii() and length.isdigit()):
        return Refusal(HTTPStatus.LENGTH_REQUIRED, "content-length: it is needed")
    if int(length[:18]) > MOST_BODY:
        return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"content-length: at most {MOST_BODY}")
    return None
