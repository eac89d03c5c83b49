"""What the gateway is a view of: all that it knows of the proxy that it is part of."""

from typing import Protocol

from mitmcache.gateway.live import Live
from mitmcache.journal.history import History
from mitmcache.selection import Selection


class Place(Protocol):
    """On the event loop. `token` is "" where nothing may be changed."""

    token: str
    live: Live

    @property
    def history(self) -> History: ...

    def about(self) -> dict[str, object]:
        """What the dashboard has to know of the proxy itself."""

    async def ready(self) -> str:
        """The empty text, or why no call could be answered from the cache."""

    async def store(self) -> dict[str, object]:
        """How the stores are, and what they hold. Raises StoreError."""

    async def headers(self, id: str) -> dict[str, list[tuple[str, str]]]:
        """Of a call that mitmproxy still has, `request` and `response`; {} where it has not. No secrets."""

    async def count(self, selection: Selection) -> dict[str, object]:
        """What a purge would take: `entries`, `bytes` and of which `models`. Raises StoreError."""

    async def purge(self, selection: Selection) -> int:
        """Entries deleted here; misses for all who share the cache. Raises StoreError, ValueError."""

    def set_mode(self, mode: str) -> None:
        """Raises ValueError."""

    async def metrics(self, accept: str, coding: str) -> tuple[dict[str, str], bytes]:
        """Headers and body of the exposition, for what the asking one accepts."""
