"""mitmproxy's command `llm.purge`: what has been stored becomes a miss, for all who share it."""

import asyncio
import logging
import time

from mitmproxy import command, exceptions, log

from mitmcache.addons.storage import Storage
from mitmcache.selection import Selection
from mitmcache.units import age

logger = logging.getLogger(__name__)

CONDITIONS = "model=GLOB, provider=, host=, tag=, key=, older=7d, or `all`"


class Purge:
    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.running: set[asyncio.Task[None]] = set()

    @command.command("llm.purge")  # type: ignore[untyped-decorator]
    def purge(self, *conditions: str) -> str:
        """
        Make stored answers misses: all, or those with model=GLOB provider= host= tag= key= older=7d.
        """
        try:
            selection = parse(conditions, time.time())
        except ValueError as error:
            raise exceptions.CommandError(f"llm.purge: {error}") from None
        task = asyncio.get_running_loop().create_task(self._purge(selection, " ".join(conditions)))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return f"purged: {' '.join(conditions)}"

    async def _purge(self, selection: Selection, words: str) -> None:
        """From the first step on it is a miss here; the bucket is told next, and deleting follows."""
        try:
            entries = await self._storage.stores.purge(selection)
        except Exception as error:
            logger.warning("mitmcache: purge %s: gone on this machine, but not for others: %s", words, error)
        else:
            logger.log(log.ALERT, "mitmcache: purge %s: %d answers deleted on this machine", words, entries)


def parse(conditions: tuple[str, ...], now: float) -> Selection:
    """The selection that `name=value` words make. Raises ValueError that names the word."""
    if conditions == ("all",):
        return Selection()
    given: dict[str, str | float] = {}
    for condition in conditions:
        name, equals, value = condition.partition("=")
        if not equals or not value or name not in ("model", "provider", "host", "tag", "key", "older"):
            raise ValueError(f"{condition!r} is no condition; there are {CONDITIONS}")
        if name == "older":
            given["before"] = now - age(value)
        else:
            given[name] = value
    if not given:
        raise ValueError(f"which answers? {CONDITIONS}")
    return Selection.from_json(given)
