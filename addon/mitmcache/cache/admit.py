"""Is this reply an answer to give again?"""

from mitmcache.exchange import Call, Reply, header
from mitmcache.providers.tools import parse
from mitmcache.reasons import Reason
from mitmcache.wire.coding import CodingError, TooLarge, decode
from mitmcache.wire.events import Reader
from mitmcache.wire.forms import reader_for, reader_of


def decoded(reply: Reply, limit: int, *, partial: bool = False) -> Reply | Reason:
    """The reply with its content-encoding undone, or why not: `limit` is in bytes, decoded.

    `partial`: the body may stop anywhere; what can be decoded of it is.
    """
    coding = header(reply.headers, "content-encoding")
    if not coding:
        return reply if len(reply.body) <= limit else Reason.TOO_LARGE
    try:
        body = decode(reply.body, coding, limit, partial=partial)
    except TooLarge:
        return Reason.TOO_LARGE
    except CodingError:
        return Reason.ENCODING
    plain = tuple(pair for pair in reply.headers if pair[0] != "content-encoding")
    return Reply(reply.status, plain, body, reply.framed)


def admit(call: Call, reply: Reply, *, clean_end: bool = True) -> Reason | None:
    """None: keep it. `reply` is content-decoded; `clean_end` is false where the client left first."""
    if reply.status != 200:
        return Reason.STATUS
    if not reply.body:
        return Reason.EMPTY
    media_type = header(reply.headers, "content-type").partition(";")[0].strip().lower()
    if reader := reader_for(media_type):
        return _stream(call, reply, reader, clean_end=clean_end and reply.framed)
    if call.dialect.opaque and "json" not in media_type:
        return _opaque(reply, media_type, clean_end=clean_end and reply.framed)
    try:
        document = parse(reply.body)
    except ValueError:
        unnamed = reader_of(reply.body) if call.dialect.listen else None
        ends = clean_end and reply.framed
        return _stream(call, reply, unnamed, clean_end=ends) if unnamed else Reason.NOT_JSON
    return call.dialect.judge(document)


def _opaque(reply: Reply, media_type: str, *, clean_end: bool) -> Reason | None:
    if media_type == "text/html":  # a gateway's or a captive portal's page, never a model's answer
        return Reason.NOT_JSON
    return None if clean_end else Reason.INCOMPLETE


def _stream(call: Call, reply: Reply, reader: Reader, *, clean_end: bool) -> Reason | None:
    if call.dialect.listen is None:
        return Reason.INCOMPLETE
    listener = call.dialect.listen(call.provider)
    for event in [*reader.feed(reply.body), *reader.close()]:
        listener.hear(event)
    if reader.broken:
        return Reason.INCOMPLETE
    verdict = listener.verdict(clean_end=clean_end)
    # where the transmission broke off, half an event is no surprise
    return Reason.INCOMPLETE if verdict is Reason.NOT_JSON and not clean_end else verdict
