"""Alerts of the policy file: to the log, and to a webhook."""

import asyncio
import logging
import time
from time import monotonic

from mitmcache.addons.journaling import Journaling
from mitmcache.addons.options import Options
from mitmcache.addons.storage import Storage
from mitmcache.alerts.message import message
from mitmcache.alerts.rules import Alerts
from mitmcache.alerts.watch import Notice, Watch
from mitmcache.alerts.webhook import Webhook

logger = logging.getLogger(__name__)

TICK = 1.0
"""Seconds between two looks."""
CLOSE = 2.0


class Alerting:
    def __init__(self, options: Options, storage: Storage, journaling: Journaling) -> None:
        self._options = options
        self._storage = storage
        self._alerts = Alerts()
        self._watch = Watch()
        self._webhook = Webhook()
        self._looking: asyncio.Task[None] | None = None
        self._running = False
        journaling.listen(lambda events: self._watch.note(events, monotonic()))

    def configure(self, updated: set[str]) -> None:
        self._alerts = self._options.current.alerts
        self._watch.watch(self._alerts.repeat, self._alerts.rules)
        if self._running:
            self.running()

    def running(self) -> None:
        self._running = True
        if self._alerts.rules and self._looking is None:
            self._looking = asyncio.create_task(self._look())

    def done(self) -> "asyncio.Task[None]":
        if self._looking:
            self._looking.cancel()
        return asyncio.create_task(self._webhook.close(CLOSE))

    async def look(self) -> None:
        """Tells what is to be told now."""
        stores = self._storage.stores
        down = stores.down(await stores.disk.stats() if stores.disk else None)
        for notice in self._watch.look(monotonic(), down):
            self._tell(notice)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            try:
                await self.look()
            except Exception:
                # open: the next look may work
                logger.warning("mitmcache: alerts could not be looked at", exc_info=True)

    def _tell(self, notice: Notice) -> None:
        state = "is firing" if notice.status == "firing" else "is over"
        logger.warning("mitmcache: alert %r %s: %s", notice.rule.name, state, notice.summary)
        if self._alerts.webhook:
            self._webhook.send(self._alerts.webhook, message(notice, time.time()))
