"""The JSON API of the dashboard: what may be asked, and what is answered."""

import math
import time
from collections.abc import Awaitable, Callable, Sequence

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from mitmcache.gateway import documents, security
from mitmcache.gateway.place import Place
from mitmcache.journal.history_sums import Histogram, Summed
from mitmcache.journal.ledgers import By, Ledgers
from mitmcache.selection import Selection
from mitmcache.store.base import StoreError
from mitmcache.units import age

RANGES = {
    "15m": (900, 15),
    "1h": (3600, 60),
    "24h": (86400, 3600),
    "7d": (604800, 4 * 3600),
    "30d": (2592000, 86400),
}
"""Seconds of the span, and of a step."""
BY: tuple[By, ...] = ("model", "provider", "client")
TOP = 20
MOST_CALLS = 500
CONDITIONS = ("model", "provider", "host", "tag", "key", "older", "all")
NO_STORE = {"cache-control": "no-store"}

type Endpoint = Callable[[Request], Awaitable[Response]]


class Bad(ValueError):
    """What was asked cannot be; the text names the parameter."""


def answer(document: object, status: int = 200) -> Response:
    body = orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS)
    return Response(body, status, NO_STORE, media_type="application/json")


def refused(status: int, why: str) -> Response:
    return answer({"error": why}, status)


class Api:
    """Each method answers one path."""

    def __init__(self, place: Place) -> None:
        self._place = place

    async def about(self, request: Request) -> Response:
        known(request)
        changes = request.scope["came"] != 0 and self._place.token != ""
        return answer({**self._place.about(), "now": time.time(), "changes": changes})

    async def summary(self, request: Request) -> Response:
        known(request, "range")
        name = request.query_params.get("range", "1h")
        if name not in RANGES:
            raise Bad(f"range: one of {', '.join(RANGES)}")
        span, step = RANGES[name]
        until = (int(time.time()) // step + 1) * step
        since, history = until - span, self._place.history
        series = await history.sums(since, until, bucket=step)
        latencies = await history.latencies(since, until)
        return answer(
            {
                "range": name,
                "since": since,
                "until": until,
                "step": step,
                "total": _total(series).as_json(),
                "series": [{"at": each.at, **each.ledgers.as_json()} for each in series],
                "by": {by: _largest(await history.sums(since, until, by)) for by in BY},
                "latency": {kind: _quantiles(histogram) for kind, histogram in latencies.items()},
            }
        )

    async def calls(self, request: Request) -> Response:
        known(request, "limit", "before")
        limit = int(_number(request, "limit", 50, 1, MOST_CALLS))
        before = _number(request, "before", 2.0**53, 0, 2.0**53)
        found = await self._place.history.recent(limit, int(before))
        return answer({"calls": [{**documents.call(kept.event), "number": kept.number} for kept in found]})

    async def call(self, request: Request) -> Response:
        known(request, "id")
        event = await self._place.history.call(request.query_params.get("id", ""))
        if event is None:
            return refused(404, "id: no such call is remembered")
        return answer({**documents.detail(event), "headers": await self._place.headers(event.id)})

    async def store(self, request: Request) -> Response:
        known(request)
        return answer(await self._place.store())

    async def preview(self, request: Request) -> Response:
        known(request, *CONDITIONS)
        return answer(await self._place.count(selection(dict(request.query_params), time.time())))

    async def purge(self, request: Request) -> Response:
        chosen = selection(await _body(request), time.time())
        try:
            return answer({"deleted": await self._place.purge(chosen)})
        except StoreError as error:
            return refused(502, f"gone on this machine, but not for others yet: {error}")

    async def mode(self, request: Request) -> Response:
        said = await _body(request)
        if set(said) != {"mode"}:
            raise Bad("mode: it is the one field, and needed")
        try:
            self._place.set_mode(said["mode"])
        except ValueError as error:
            raise Bad(f"mode: {error}") from None
        return answer({"mode": said["mode"]})

    async def session(self, request: Request) -> Response:
        """Whoever gets here has the token."""
        await _body(request)
        return answer({"changes": True})


def known(request: Request, *names: str) -> None:
    """Raises Bad for a parameter that there is not: to pass over one could mean more than was asked."""
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in names:
            raise Bad(f"{name[:40]}: no such parameter; there are {', '.join(names) or 'none'}")
        if given.count(name) > 1:
            raise Bad(f"{name}: once only")


def selection(said: dict[str, str], now: float) -> Selection:
    """What the conditions mean, `all` alone or some others. Raises Bad."""
    for name, value in said.items():
        if name not in CONDITIONS:
            raise Bad(f"{name[:40]}: no such condition; there are {', '.join(CONDITIONS)}")
        if not value or (name == "all" and value != "true"):
            raise Bad(f"{name}: {'write true' if name == 'all' else 'it is empty'}")
    if not said or ("all" in said and len(said) > 1):
        raise Bad("all: give it alone, or conditions")
    given: dict[str, object] = {name: value for name, value in said.items() if name not in ("all", "older")}
    if "older" in said:
        try:
            given["before"] = now - age(said["older"])
        except ValueError as error:
            raise Bad(f"older: {error}") from None
    return Selection.from_json(given)


async def _body(request: Request) -> dict[str, str]:
    """One flat JSON object of texts. Raises Bad."""
    known(request)
    raw = b""
    try:
        async for piece in request.stream():
            raw += piece
            if len(raw) > security.MOST_BODY:
                raise Bad(f"body: at most {security.MOST_BODY} bytes")
    except ClientDisconnect:
        raise Bad("body: it broke off") from None
    try:
        found = orjson.loads(raw)
    except ValueError:
        raise Bad("body: it is no JSON") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Bad('body: one object is wanted, of texts: {"model": "gpt-4o*"}')
    return found


def _number(request: Request, name: str, default: float, least: float, most: float) -> float:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise Bad(f"{name}: a number from {least:g} to {most:g}")
    return number


def _total(series: Sequence[Summed]) -> Ledgers:
    total = Ledgers()
    for each in series:
        total.join(each.ledgers)
    return total


def _largest(groups: Sequence[Summed]) -> list[dict[str, object]]:
    ranked = sorted(groups, key=lambda each: -(each.ledgers.billed.calls + each.ledgers.saved.calls))
    return [{"name": each.group, **each.ledgers.as_json()} for each in ranked[:TOP]]


def _quantiles(histogram: Histogram) -> dict[str, object]:
    """Seconds, None where there were no calls."""
    return {
        "calls": sum(histogram.counts),
        "p50": histogram.quantile(0.5),
        "p95": histogram.quantile(0.95),
    }
