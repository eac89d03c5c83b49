"""Is this reply an answer to give again?"""

from mitmcache.exchange import Call, Reply, header
from mitmcache.providers.tools import parse
from mitmcache.reasons import Reason
from mitmcache.wire.coding import CodingError, TooLarge, decode
from mitmcache.wire.events import Event, Reader
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
    judge = judge_of(call, reply, clean_end=clean_end)
    judge.feed(reply.body)
    return judge.verdict()


class Judge:
    """Hears a content-decoded body in pieces, and says at its end whether to keep it."""

    def __init__(self, call: Call, *, clean_end: bool) -> None:
        self.size = 0
        self._call = call
        self._clean_end = clean_end

    def feed(self, data: bytes) -> None:
        self.size += len(data)
        self._hear(data)

    def verdict(self) -> Reason | None:
        """None: keep it."""
        return self._verdict() if self.size else Reason.EMPTY

    def _hear(self, data: bytes) -> None: ...

    def _verdict(self) -> Reason | None:
        raise NotImplementedError


def judge_of(call: Call, reply: Reply, *, clean_end: bool = True) -> Judge:
    """For a reply like this one, whose body is not looked at. Only what must be parsed as a whole, such as
    a JSON document, is held by its judge."""
    media_type = header(reply.headers, "content-type").partition(";")[0].strip().lower()
    framed = clean_end and reply.framed
    if reply.status != 200:
        return _Refused(call, clean_end=framed)
    if reader := reader_for(media_type):
        return _Stream(call, reader, clean_end=framed)
    if call.dialect.opaque and "json" not in media_type:
        # a gateway's or a captive portal's page is never a model's answer
        return (_Page if media_type == "text/html" else _Opaque)(call, clean_end=framed)
    return _Whole(call, clean_end=framed)


class _Refused(Judge):
    def verdict(self) -> Reason | None:
        return Reason.STATUS


class _Page(Judge):
    def _verdict(self) -> Reason | None:
        return Reason.NOT_JSON


class _Opaque(Judge):
    def _verdict(self) -> Reason | None:
        return None if self._clean_end else Reason.INCOMPLETE


class _Stream(Judge):
    def __init__(self, call: Call, reader: Reader, *, clean_end: bool) -> None:
        super().__init__(call, clean_end=clean_end)
        self._reader = reader
        self._listener = call.dialect.listen(call.provider) if call.dialect.listen else None

    def _hear(self, data: bytes) -> None:
        if self._listener:
            self._tell(self._reader.feed(data))

    def _verdict(self) -> Reason | None:
        if self._listener is None:
            return Reason.INCOMPLETE
        self._tell(self._reader.close())
        if self._reader.broken:
            return Reason.INCOMPLETE
        verdict = self._listener.verdict(clean_end=self._clean_end)
        # where the transmission broke off, half an event is no surprise
        return Reason.INCOMPLETE if verdict is Reason.NOT_JSON and not self._clean_end else verdict

    def _tell(self, events: list[Event]) -> None:
        assert self._listener
        for event in events:
            self._listener.hear(event)


class _Whole(Judge):
    """A JSON document, or a stream that is called one."""

    def __init__(self, call: Call, *, clean_end: bool) -> None:
        super().__init__(call, clean_end=clean_end)
        self._pieces: list[bytes] = []

    def _hear(self, data: bytes) -> None:
        self._pieces.append(data)

    def _verdict(self) -> Reason | None:
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        try:
            document = parse(body)
        except ValueError:
            unnamed = reader_of(body) if self._call.dialect.listen else None
            if unnamed is None:
                return Reason.NOT_JSON
            stream = _Stream(self._call, unnamed, clean_end=self._clean_end)
            stream.feed(body)
            return stream.verdict()
        return self._call.dialect.judge(document)
