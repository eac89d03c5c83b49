"""Our own words in mitmproxy's: responses made from records, and headers told and taken off."""

import math

from mitmproxy import http
from mitmproxy.net.http.status_codes import RESPONSES

from mitmcache.cache import replay, status
from mitmcache.cache.directives import CONTROL_HEADERS
from mitmcache.cache.record import Record
from mitmcache.cache.shape import Near
from mitmcache.cache.status import Outcome
from mitmcache.exchange import Headers
from mitmcache.large.records import LargeRecord
from mitmcache.providers.errors import error_reply

_CONTROL = frozenset(name.encode() for name in CONTROL_HEADERS)
MAX_PLACES = 8
"""Places named in an explanation; of the rest, their number."""
DIGITS = 12
"""Of a key: enough for `mitmcache show`."""


def from_record(request: http.Request, record: Record, outcome: Outcome) -> http.Response:
    body, coding = replay.body_for(record, request.headers.get("accept-encoding", ""))
    fields = (*record.headers, *coding, *status.headers(outcome), ("content-length", str(len(body))))
    return _response(record.status, fields, body)


def from_large(
    request: http.Request, record: LargeRecord, outcome: Outcome, *, gzipped: bool
) -> http.Response:
    """The head alone: the body comes piece by piece."""
    framing: Headers = (("content-length", str(record.size)),)
    if gzipped:
        framing = () if request.is_http2 else (("transfer-encoding", "chunked"),)
    coding = replay.GZIPPED if gzipped else ()
    return _response(record.status, (*record.headers, *coding, *status.headers(outcome), *framing), None)


def gateway_timeout(dialect: str, outcome: Outcome, message: str, near: Near | None = None) -> http.Response:
    """504, as RFC 9111 has it for only-if-cached; in the form of error that the dialect's clients raise."""
    details = {"differs": near.places if near else [], "nearest": near.key[:DIGITS] if near else ""}
    form, body = error_reply(dialect, 504, "mitmcache_miss", message, details)
    fields = (
        *form,
        # SDKs retry a 504; the answer would be the same
        ("x-should-retry", "false"),
        *status.headers(outcome),
        ("content-length", str(len(body))),
    )
    return _response(504, fields, body)


def tell(response: http.Response, outcome: Outcome) -> None:
    """Writes the status headers; an upstream's own Cache-Status stays in front of ours (RFC 9211 2)."""
    headers, told = response.headers, dict(status.headers(outcome))
    if theirs := headers.get("cache-status", ""):
        told["cache-status"] = f"{theirs}, {told['cache-status']}"
    # at once: to set a header, mitmproxy goes through all that there are
    ours = {name.encode(): value.encode("utf-8", "surrogateescape") for name, value in told.items()}
    others = [field for field in headers.fields if field[0].lower() not in ours]
    headers.fields = (*others, *ours.items())


def take_off(request: http.Request) -> None:
    """Removes what is addressed to us, unless the caller's signature covers it."""
    if _CONTROL.isdisjoint([name.lower() for name, _ in request.headers.fields]):
        return
    authorization = request.headers.get("authorization", "")
    signed = authorization.partition("SignedHeaders=")[2].partition(",")[0].lower().split(";")
    for name in CONTROL_HEADERS:
        if name in request.headers and name not in signed:
            del request.headers[name]


def places(near: Near | None) -> str:
    """The first few that differ, for one line."""
    if near is None:
        return ""
    more = len(near.places) - MAX_PLACES
    return ", ".join(near.places[:MAX_PLACES]) + (f" and {more} more" if more > 0 else "")


def explanation(near: Near | None) -> str:
    """A miss in a sentence, from what `Storage.nearest` gives."""
    if near is None:
        return "not in the cache, and nothing like it is: no request of this credential to this host"
    if not near.places:
        return f"in the cache ({near.key[:DIGITS]}), but not to be used for this request"
    return f"not in the cache; the nearest stored request ({near.key[:DIGITS]}) differs in: {places(near)}"


def _response(code: int, fields: Headers, body: bytes | None) -> http.Response:
    headers = http.Headers(
        [(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in fields]
    )
    reason = RESPONSES.get(code, "")
    return http.Response(b"HTTP/1.1", code, reason.encode(), headers, body, None, 0.0, 0.0)


def expires(now: float, ttl: float) -> float:
    """A record's `expires` for a lifetime in seconds."""
    return now + ttl if math.isfinite(ttl) else 0.0
