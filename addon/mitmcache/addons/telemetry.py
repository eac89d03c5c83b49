"""Spans and metrics of LLM calls, where OpenTelemetry's own variables ask for them."""

import asyncio
import importlib.util
import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mitmcache.addons.journaling import Journaling
from mitmcache.background import Background
from mitmcache.journal.event import Event
from mitmcache.otel.plan import Plan, plan

if TYPE_CHECKING:
    from mitmcache.otel.exporter import Exporter

logger = logging.getLogger(__name__)

SEND = 1.5
"""Seconds to send what waits at the end."""
CLOSE = 2.0
MOST, MOST_BYTES = 16384, 32 << 20
STEP = 8
"""Calls at a time: half a millisecond of computing."""
EACH = 2048
"""Bytes that a call holds, about."""
MISSING = (
    "mitmcache: OTEL_* variables ask for traces or metrics, which need the extra `otel`: "
    "pip install 'mitmcache[otel]', or opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http"
)


class Telemetry:
    """The variables are read once, when the proxy is up. Nothing is imported where they ask for nothing."""

    def __init__(self, journaling: Journaling) -> None:
        self._journaling = journaling
        self._sending: Background[Event] | None = None

    def running(self) -> None:
        found = plan(os.environ)
        for complaint in found.complaints:
            logger.warning("mitmcache: %s", complaint)
        if not found.active or self._sending:
            return
        if not _installed():
            logger.warning(MISSING)
            return
        self._sending = _sending(found)
        # whatever cannot be is told now, and not at the first call
        self._sending.put([], 0)
        self._journaling.listen(self._told)

    def done(self) -> "asyncio.Task[bool] | None":
        if self._sending is None:
            return None
        return asyncio.create_task(asyncio.to_thread(self._sending.close, CLOSE))

    def _told(self, events: Sequence[Event]) -> None:
        if self._sending:
            self._sending.put(events, len(events) * EACH)


def _installed() -> bool:
    try:
        return all(
            importlib.util.find_spec(name)
            for name in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
        )
    except ModuleNotFoundError:
        return False


def _sending(wanted: Plan) -> Background[Event]:
    exporter: Exporter | None = None
    failed = False

    def tell(events: Sequence[Event]) -> None:
        nonlocal exporter, failed
        if exporter is None and not failed:
            try:
                # in this thread: it takes its time
                from mitmcache.otel.exporter import Exporter

                exporter = Exporter(wanted)
            except Exception as error:
                failed = True
                # another's words may quote a variable's value
                why = error if isinstance(error, ImportError) else type(error).__name__
                logger.warning("mitmcache: OpenTelemetry: nothing is sent: %s", why)
        if exporter:
            exporter.tell(events)

    def close() -> None:
        if exporter:
            exporter.close(SEND)

    return Background("OpenTelemetry", tell, most=MOST, most_bytes=MOST_BYTES, step=STEP, ended=close)
