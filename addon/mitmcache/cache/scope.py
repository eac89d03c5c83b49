"""Whose answers a caller may be given.

A cache entry belongs to a scope, which is part of its key. Whatever the scope, a caller without any
upstream credential never shares an entry with one who has one.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl

from mitmcache.cache.framing import frame
from mitmcache.exchange import Call, header


class Scope(StrEnum):
    """Who shares entries: callers with the same secret, the same proxy user, or everybody."""

    CREDENTIAL = "credential"
    USER = "user"
    SHARED = "shared"


SECRET_HEADERS = (
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "ocp-apim-subscription-key",
    # of gateways, which may hold the vendors' keys themselves
    "apikey",
    "cf-aig-authorization",
    "helicone-auth",
    "x-bf-vk",
    "x-litellm-api-key",
    "x-portkey-api-key",
    "x-portkey-virtual-key",
)
SECRET_QUERY = ("key", "api_key", "api-key", "access_token", "subscription-key")
ACCOUNT_HEADERS = ("chatgpt-account-id",)


@dataclass(frozen=True, slots=True)
class Caller:
    """`secrets` are digests. `sigv4`: signed by AWS SigV4, which names its key but does not show a secret."""

    secrets: tuple[str, ...]
    sigv4: bool


def caller(call: Call) -> Caller:
    """Reads the credentials of a call, wherever they stand: SDKs move them from header to header."""
    found: set[bytes] = set()
    sigv4 = False
    present = {name for name, _ in call.headers}
    for name in SECRET_HEADERS:
        if name not in present:
            continue
        value = header(call.headers, name)
        if value.startswith("AWS4-"):
            sigv4 = True
            key_id = value.partition("Credential=")[2].partition("/")[0]
            found.add(_fact("sigv4", key_id))
        elif token := _token(value):
            found.add(_fact("secret", token))
    for name, value in parse_qsl(call.query, errors="surrogateescape") if call.query else ():
        if name.lower() in SECRET_QUERY and value:
            found.add(_fact("secret", value))
    if not found and (cookie := header(call.headers, "cookie")):
        found.add(_fact("cookie", cookie))
    for name in ACCOUNT_HEADERS if found else ():
        found.add(_fact(name, header(call.headers, name)))
    return Caller(tuple(sorted(hashlib.sha256(secret).hexdigest() for secret in found)), sigv4)


def _token(value: str) -> str:
    """What is secret in a header: a bearer's token, else all of it. `Bearer` with nothing behind is none."""
    scheme, _, token = value.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else value


def _fact(kind: str, value: str) -> bytes:
    """What is public of one kind, a key id, must not pass for a secret of another."""
    return f"{kind} {value}".encode("utf-8", "surrogateescape")


def effective(scope: Scope, user: str) -> Scope:
    """Where the proxy asked for no user, there is none to share by: each credential is by itself."""
    return Scope.CREDENTIAL if scope is Scope.USER and not user else scope


def label(scope: Scope, who: Caller, user: str) -> str:
    """The text that stands for the scope in a key; holds digests, never a secret.

    `scope` is an `effective` one; `user` is the proxy user, "" where the proxy asked for none.
    """
    known = "known" if who.secrets else "anonymous"
    match scope:
        case Scope.CREDENTIAL:
            digest = hashlib.sha256(frame(secret.encode() for secret in who.secrets)).hexdigest()
            return f"credential {digest}" if who.secrets else "credential anonymous"
        case Scope.USER:
            return f"user {known} {hashlib.sha256(user.encode()).hexdigest()}"
        case Scope.SHARED:
            return f"shared {known}"
