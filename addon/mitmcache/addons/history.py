"""Keeps finished calls and what they cost: the sums since the start, and the history on the disk."""

import asyncio
from collections.abc import Sequence

from mitmproxy import exceptions

from mitmcache.addons.journaling import Journaling
from mitmcache.addons.options import Options
from mitmcache.journal.event import Event
from mitmcache.journal.history import History
from mitmcache.journal.ledgers import Ledgers

CLOSE = 3.0
"""Seconds at the end for what was not yet told, and not yet written."""
TOLD = 1.0
"""Seconds that a reader of the sums waits for the calls that have just ended."""


class CallHistory:
    """`history` is there from the first `configure` on; `ledgers` are the sums since the start."""

    history: History

    def __init__(self, options: Options, journaling: Journaling) -> None:
        self._options = options
        self._journal = journaling.journal
        self.ledgers = Ledgers()
        journaling.listen(self._add)

    def configure(self, updated: set[str]) -> None:
        settings = self._options.current
        if not hasattr(self, "history"):
            self.history = History(settings.data_dir, settings.history)
            self._journal.listen(lambda events: self.history.note(events))
            self._folder = settings.data_dir
        elif settings.data_dir != self._folder:
            raise exceptions.OptionsError("llm_data_dir: is read at the start; restart to change it")
        self.history.kept = settings.history

    def done(self) -> "asyncio.Task[None] | None":
        return asyncio.create_task(self._close()) if hasattr(self, "history") else None

    async def statistics(self) -> dict[str, object]:
        """The sums since the start, of all calls that have ended."""
        await self._journal.flush(TOLD)
        return {"ledgers": self.ledgers.as_json()}

    def _add(self, events: Sequence[Event]) -> None:
        for event in events:
            self.ledgers.add(event)

    async def _close(self) -> None:
        await self._journal.flush(CLOSE / 2)
        await self.history.close(CLOSE / 2)
