"""One line for each LLM call, to standard error or a file."""

import asyncio
import logging
import sys
from collections.abc import Sequence

from mitmproxy import ctx

from mitmcache.addons.journaling import Journaling
from mitmcache.addons.options import Options
from mitmcache.background import Background
from mitmcache.journal.event import Event
from mitmcache.logs.file import LogFile, Stream, Target
from mitmcache.logs.line import Render, console_lines, json_lines
from mitmcache.settings import Log, Settings

logger = logging.getLogger(__name__)

CLOSE = 1.0
MOST, MOST_BYTES = 16384, 32 << 20
"""Calls, and bytes of them, that wait to be written."""
STEP = 32
"""Calls at a time: half a millisecond of computing."""
EACH = 2048
"""Bytes that a call holds, about, but for the places that differ."""


class CallLog:
    def __init__(self, options: Options, journaling: Journaling) -> None:
        self._options = options
        self._journaling = journaling
        self._writing: Background[Event] | None = None
        self._wanted: object = None
        self._listens = False

    def configure(self, updated: set[str]) -> None:
        settings = self._options.current
        form = _form(settings)
        wanted = (form, settings.log_file, settings.log_size)
        if wanted == self._wanted:
            return
        writing = None if form is Log.OFF else _writing(settings, form)
        if self._writing:
            self._writing.close(0)
        self._writing, self._wanted = writing, wanted
        if self._writing and not self._listens:
            self._journaling.listen(self._told)
            self._listens = True

    def done(self) -> "asyncio.Task[bool] | None":
        if self._writing is None:
            return None
        return asyncio.create_task(asyncio.to_thread(self._writing.close, CLOSE))

    def _told(self, events: Sequence[Event]) -> None:
        if self._writing:
            size = sum(EACH + sum(map(len, event.differs)) for event in events)
            self._writing.put(events, size)


def _form(settings: Settings) -> Log:
    if settings.log is not Log.AUTO:
        return settings.log
    if settings.log_file:
        return Log.JSON
    # mitmproxy's own console draws on the terminal
    drawn = "console_layout" in ctx.options
    return Log.CONSOLE if sys.stderr and sys.stderr.isatty() and not drawn else Log.OFF


def _writing(settings: Settings, form: Log) -> Background[Event] | None:
    target: Target
    if settings.log_file:
        try:
            target = LogFile(settings.log_file, settings.log_size)
        except OSError as error:
            # open: calls go on, unlogged. What can be known beforehand is refused where options are read
            logger.warning("mitmcache: llm_log_file: nothing is written: %s", error.strerror)
            return None
    else:
        target = Stream(2)
    colours = form is Log.CONSOLE and not settings.log_file and sys.stderr.isatty()
    render: Render | None = None

    def write(events: Sequence[Event]) -> None:
        nonlocal render
        # first needed here: structlog takes its time to be imported
        render = render or (json_lines() if form is Log.JSON else console_lines(colours=colours))
        target.write(render(events))

    return Background(
        "the log of calls", write, most=MOST, most_bytes=MOST_BYTES, step=STEP, ended=target.close
    )
