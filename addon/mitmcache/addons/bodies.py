"""Prompts and answers, word for word, to a file of their own: for those who ask for it."""

import asyncio
import logging
import time

from mitmproxy import http

from mitmcache.addons.options import Options
from mitmcache.addons.trail import trail_of
from mitmcache.background import Background
from mitmcache.logs.bodies import Body, Said, line
from mitmcache.logs.file import LogFile
from mitmcache.settings import Settings

logger = logging.getLogger(__name__)

CLOSE = 1.0
MOST, MOST_BYTES = 1024, 64 << 20
"""Calls, and bytes of them, that wait to be written."""


class BodyLog:
    """Stands before Journaling, which marks a flow as told."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._writing: Background[Said] | None = None
        self._wanted: object = (None, 0)

    def configure(self, updated: set[str]) -> None:
        settings = self._options.current
        wanted = (settings.log_bodies, settings.log_size if settings.log_bodies else 0)
        if wanted == self._wanted:
            return
        writing = _writing(settings)
        if self._writing:
            self._writing.close(0)
        self._writing, self._wanted = writing, wanted

    def response(self, flow: http.HTTPFlow) -> None:
        self._note(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        self._note(flow)

    def done(self) -> "asyncio.Task[bool] | None":
        if self._writing is None:
            return None
        return asyncio.create_task(asyncio.to_thread(self._writing.close, CLOSE))

    def _note(self, flow: http.HTTPFlow) -> None:
        trail = trail_of(flow)
        if self._writing is None or trail.route is None or trail.outcome is None or trail.event:
            return
        response = flow.response
        said = Said(
            at=time.time(),
            id=flow.id,
            provider=trail.route[0].name,
            dialect=trail.route[1].name,
            model=trail.model,
            word=trail.outcome.word,
            status=response.status_code if response else 0,
            question=_body(flow.request),
            answer=_body(response) if response and response.raw_content is not None else None,
        )
        self._writing.put([said], said.size)


def _body(message: http.Message) -> Body:
    headers = message.headers
    return Body(
        message.raw_content or b"", headers.get("content-type", ""), headers.get("content-encoding", "")
    )


def _writing(settings: Settings) -> Background[Said] | None:
    path = settings.log_bodies
    if path is None:
        return None
    try:
        file = LogFile(path, settings.log_size, private=True)
    except OSError as error:
        # open: calls go on, unlogged. What can be known beforehand is refused where options are read
        logger.warning("mitmcache: llm_log_bodies: nothing is written: %s", error.strerror)
        return None
    logger.warning("mitmcache: llm_log_bodies: prompts and answers are written to %s, word for word", path)
    return Background(
        "the log of bodies",
        lambda said: file.write([line(each) for each in said]),
        most=MOST,
        most_bytes=MOST_BYTES,
        step=1,
        ended=file.close,
    )
