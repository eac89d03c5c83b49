"""What the gateway may know of the proxy, and do to it."""

import asyncio
import logging
import time
from collections import Counter

from mitmproxy import ctx, exceptions, http

from mitmcache import __version__
from mitmcache.addons.history import CallHistory
from mitmcache.addons.journaling import Journaling
from mitmcache.addons.metrics import Metrics
from mitmcache.addons.options import Options
from mitmcache.addons.storage import Storage
from mitmcache.cache.policy import Mode
from mitmcache.gateway import token
from mitmcache.gateway.live import Live
from mitmcache.journal.history import History
from mitmcache.selection import Selection
from mitmcache.store.base import StoreError
from mitmcache.store.browse import Row

logger = logging.getLogger(__name__)

READY = 1.0
PAGE = 1000
TOP = 10
"""Models that are named."""
SHOWN = frozenset(
    {
        *("accept", "accept-encoding", "age", "anthropic-beta", "anthropic-version", "cache-control"),
        *("cf-aig-cache-key", "cf-aig-cache-status", "cf-aig-cache-ttl", "cf-aig-skip-cache", "cache-status"),
        *("connection", "content-encoding", "content-length", "content-type", "date", "host", "openai-beta"),
        *("openai-processing-ms", "openai-version", "retry-after", "server", "transfer-encoding"),
        *("user-agent", "vary", "via", "x-cache", "x-mitmcache-tag", "x-mitmcache-variants"),
    }
)
"""Headers whose values are shown; of all others only that they are there."""
HIDDEN = "\N{BULLET}" * 8


class ProxyPlace:
    """mitmcache.gateway.place.Place, of this process."""

    def __init__(
        self,
        options: Options,
        storage: Storage,
        journaling: Journaling,
        history: CallHistory,
        metrics: Metrics,
    ) -> None:
        self._options = options
        self._storage = storage
        self._history = history
        self._metrics = metrics
        self._started = time.time()
        self.token = ""
        self.live = Live()
        journaling.listen(self.live.tell)

    @property
    def history(self) -> History:
        return self._history.history

    async def open(self) -> None:
        """Never fails: without its token, nothing can be changed."""
        try:
            self.token = await asyncio.to_thread(token.ensure, self._options.current.data_dir)
        except OSError as error:
            logger.warning("mitmcache: the dashboard can only be looked at: %s", error)

    def about(self) -> dict[str, object]:
        settings = self._options.current
        web = ""
        if "web_port" in ctx.options:
            web = f"http://{ctx.options.web_host}:{ctx.options.web_port}"
        return {
            "version": __version__,
            "started": self._started,
            "mode": settings.mode.value,
            "modes": [mode.value for mode in Mode],
            "mitmweb": web,
            "store": str(settings.store) if settings.store else "",
        }

    async def ready(self) -> str:
        try:
            await asyncio.wait_for(self._storage.stores.purger.loaded(), READY)
        except TimeoutError:
            return "it is not known yet what was purged"
        return ""

    async def store(self) -> dict[str, object]:
        return await self._storage.statistics()

    async def headers(self, id: str) -> dict[str, list[tuple[str, str]]]:
        view = ctx.master.addons.get("view")
        flow = view.get_by_id(id) if view else None
        if not isinstance(flow, http.HTTPFlow):
            return {}
        told = {"request": _shown(flow.request.headers)}
        if flow.response:
            told["response"] = _shown(flow.response.headers)
        return told

    async def count(self, selection: Selection) -> dict[str, object]:
        models: Counter[tuple[str, str]] = Counter()
        size = 0
        disk = self._storage.stores.disk
        if disk is None:
            raise StoreError("answers are kept in memory alone, and are not counted")
        last: Row | None = None
        while rows := await disk.select(selection, PAGE, last):
            last = rows[-1]
            models.update((row.about.provider, row.about.model) for row in rows)
            size += sum(row.size for row in rows)
        return {
            "entries": models.total(),
            "bytes": size,
            "models": [
                {"provider": provider, "model": model, "entries": entries}
                for (provider, model), entries in models.most_common(TOP)
            ],
            "more_models": max(0, len(models) - TOP),
        }

    async def purge(self, selection: Selection) -> int:
        deleted = await self._storage.stores.purge(selection)
        logger.info("mitmcache: purged from the dashboard: %d answers deleted on this machine", deleted)
        return deleted

    def set_mode(self, mode: str) -> None:
        try:
            ctx.options.update(llm_mode=mode)
        except exceptions.OptionsError as error:
            raise ValueError(str(error).removeprefix("llm_mode: ")) from None

    async def metrics(self, accept: str, coding: str) -> tuple[dict[str, str], bytes]:
        headers, body = await self._metrics.exposition(accept, coding)
        return dict(headers), body


def _shown(headers: http.Headers) -> list[tuple[str, str]]:
    return [(name, value if name.lower() in SHOWN else HIDDEN) for name, value in headers.items(multi=True)]
