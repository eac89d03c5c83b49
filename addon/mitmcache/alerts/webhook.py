"""Posts messages to a URL, one after another, and gives up on one rather than wait for long.

Straight to its host: no proxy of the environment is used, which may well be this very one, and no redirect
followed. What goes wrong is said in the log, with the URL's host alone: the rest may be a secret.
"""

import asyncio
import logging
import ssl
from base64 import b64encode
from collections import deque
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import unquote, urlsplit

import certifi

from mitmcache.store.workers import Busy, Workers

logger = logging.getLogger(__name__)

DEADLINE = 10.0
"""Seconds for one attempt."""
PAUSES = (1.0, 5.0)
"""Seconds before the attempts after the first."""
MOST = 64
"""Messages that wait; the oldest goes first."""


class Refused(Exception):
    """Another attempt would end the same."""


class Webhook:
    """On the event loop."""

    def __init__(self, pauses: Sequence[float] = PAUSES, deadline: float = DEADLINE) -> None:
        self._pauses = pauses
        self._deadline = deadline
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=MOST)
        self._sending: asyncio.Task[None] | None = None
        self._threads = Workers(1, "mitmcache-webhook")
        self._failing = False

    def send(self, url: str, message: bytes) -> None:
        """Returns at once."""
        self._waiting.append((url, message))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())

    async def close(self, deadline: float) -> None:
        """Sends on for at most so many seconds."""
        if self._sending:
            await asyncio.wait([self._sending], timeout=deadline)
            if self._sending:
                self._sending.cancel()
        await self._threads.close(0)

    async def _send(self) -> None:
        try:
            while self._waiting:
                await self._deliver(*self._waiting.popleft())
        finally:
            self._sending = None

    async def _deliver(self, url: str, message: bytes) -> None:
        failure = ""
        for pause in (0.0, *self._pauses):
            await asyncio.sleep(pause)
            try:
                async with asyncio.timeout(self._deadline):
                    await self._threads.run(lambda: post(url, message, self._deadline))
            except Refused as error:
                failure = str(error)
                break
            except (TimeoutError, Busy):
                failure = "it does not answer in time"
            except Exception as error:
                # open: whatever it is, calls go on; an error's text may quote the URL
                failure = str(error) if isinstance(error, Unwell) else type(error).__name__
            else:
                self._failing = False
                return
        if not self._failing:
            self._failing = True
            logger.warning("mitmcache: alerts do not reach the webhook at %s: %s", where(url), failure)


class Unwell(Exception):
    """Another attempt may work."""


def where(url: str) -> str:
    """The URL as far as it may be told."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


def post(url: str, message: bytes, deadline: float) -> None:
    """Blocks, for at most `deadline` seconds at each step. Raises Refused, Unwell, OSError, HTTPException."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection: HTTPConnection
    if parts.scheme == "https":
        trust = ssl.create_default_context()
        trust.load_verify_locations(certifi.where())
        connection = HTTPSConnection(host, parts.port, timeout=deadline, context=trust)
    else:
        connection = HTTPConnection(host, parts.port, timeout=deadline)
    headers = {"content-type": "application/json", "user-agent": "mitmcache", "connection": "close"}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    try:
        connection.request(
            "POST", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), message, headers
        )
        status = connection.getresponse().status
    finally:
        connection.close()
    if status == 429 or status >= 500:
        raise Unwell(f"it answers {status}")
    if not 200 <= status < 300:
        raise Refused(f"it answers {status}")
