"""Asks a proxy that is up: is it one of ours, is it well, what has it done, and does one trust its CA."""

import base64
import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

CONTROL = "llm.cache"
"""Answered by the proxy itself, decrypted like a provider's host; needs neither DNS nor an upstream."""
SECONDS = 5.0
STATS_SECONDS = 10.0
MOST = 1 << 20


class Health(StrEnum):
    """`OTHER`: something else listens there. `AUTH`: the proxy asks for a name and a password."""

    UP = "up"
    DOWN = "down"
    OTHER = "other"
    AUTH = "auth"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


def parse(url: str) -> SplitResult:
    """`127.0.0.1:8080`, `http://user:password@host:port`. Raises ValueError."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname or not parts.port or parts.path.strip("/"):
        raise ValueError("write http://HOST:PORT")
    return parts


def health(url: str, seconds: float = SECONDS) -> Health:
    try:
        answer = _ask(url, "/healthz", seconds)
    except http.client.HTTPException:
        return Health.OTHER
    except TimeoutError:
        return Health.OTHER
    except (OSError, ValueError):
        return Health.DOWN
    if answer.status == 407:
        return Health.AUTH
    return Health.UP if answer.status == 200 and _json(answer.body).get("status") == "ok" else Health.OTHER


def stats(url: str, seconds: float = STATS_SECONDS) -> dict[str, Any] | None:
    """What it has counted since its start; None if it cannot be asked."""
    try:
        answer = _ask(url, "/stats", seconds)
    except (OSError, http.client.HTTPException, ValueError):
        return None
    return (_json(answer.body) or None) if answer.status == 200 else None


def trusted(url: str, bundle: Path, seconds: float = SECONDS) -> bool:
    """Whoever trusts what is in `bundle` trusts what the proxy shows for a host that it decrypts.

    Raises OSError when it cannot be tried.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(bundle)
    parts = parse(url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), seconds) as raw:
            raw.settimeout(seconds)
            lines = [f"CONNECT {CONTROL}:443 HTTP/1.1", f"Host: {CONTROL}:443"]
            lines += [f"{name}: {value}" for name, value in _credentials(parts).items()]
            raw.sendall("\r\n".join([*lines, "", ""]).encode())
            if not _head(raw).startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")):
                raise OSError("the proxy refused the connection")
            with context.wrap_socket(raw, server_hostname=CONTROL):
                return True
    except ssl.SSLCertVerificationError:
        return False


def _head(raw: socket.socket) -> bytes:
    # byte by byte: what follows is TLS, and not ours to take
    head = b""
    while not head.endswith(b"\r\n\r\n") and len(head) < 1 << 14:
        got = raw.recv(1)
        if not got:
            break
        head += got
    return head


def _ask(url: str, path: str, seconds: float) -> Answer:
    parts = parse(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    try:
        connection.request("GET", f"http://{CONTROL}{path}", headers=_credentials(parts))
        reply = connection.getresponse()
        return Answer(reply.status, reply.read(MOST))
    finally:
        connection.close()


def _credentials(parts: SplitResult) -> dict[str, str]:
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
