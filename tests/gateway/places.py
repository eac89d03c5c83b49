"""A proxy as the gateway sees it, made up, and clients of the app in front of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from mitmcache.gateway.app import CAME, App
from mitmcache.gateway.live import Live
from mitmcache.journal.history import History
from mitmcache.relay.origin import SECRET
from mitmcache.selection import Selection
from mitmcache.store.base import StoreError

TOKEN = "t" * 43
PORT = 8082
DAY = 86400.0


class MadeUp:
    """`fails`: what it is asked raises this. `purged` are the selections."""

    def __init__(self, folder: Path) -> None:
        self.token = TOKEN
        self.live = Live()
        self.history = History(folder, DAY)
        self.purged: list[Selection] = []
        self.mode = "live"
        self.why = ""
        self.fails: Exception | None = None

    def about(self) -> dict[str, object]:
        return {"version": "1", "mode": self.mode}

    async def ready(self) -> str:
        return self.why

    async def store(self) -> dict[str, object]:
        if self.fails:
            raise self.fails
        return {"entries": 3}

    async def headers(self, id: str) -> dict[str, list[tuple[str, str]]]:
        return {"request": [("host", "api.openai.com")]}

    async def count(self, selection: Selection) -> dict[str, object]:
        return {"entries": 3, "asked": selection.as_json()}

    async def purge(self, selection: Selection) -> int:
        if self.fails:
            raise self.fails
        self.purged.append(selection)
        return 3

    def set_mode(self, mode: str) -> None:
        if mode not in ("live", "offline"):
            raise ValueError(f"{mode!r} is none of live, offline")
        self.mode = mode

    async def metrics(self, accept: str, coding: str) -> tuple[dict[str, str], bytes]:
        return {"content-type": "text/plain; version=0.0.4"}, f"# {accept}\n".encode()


def slow() -> StoreError:
    return StoreError("the disk of the cache is slow")


@asynccontextmanager
async def asking(place: MadeUp, *, came: int = PORT, signed: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    """A program on this machine that asks the port (0: the proxy), with the token if `signed`."""
    app = App(place)
    host = f"127.0.0.1:{came}" if came else "llm.cache"
    headers = {SECRET: app.secret, CAME: str(came), **({"x-mitmcache-token": TOKEN} if signed else {})}
    transport = httpx.ASGITransport(app)
    try:
        async with httpx.AsyncClient(
            transport=transport, base_url=f"http://{host}", headers=headers
        ) as client:
            yield client
    finally:
        await place.history.close(60)
