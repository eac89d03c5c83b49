import gzip
import zlib
from dataclasses import replace

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from made import CALL, DIALECT, EndMark
from mitmcache.cache.admit import admit, decoded
from mitmcache.exchange import Call, Headers, Reply
from mitmcache.providers.base import Dialect, Listener, Provider
from mitmcache.reasons import Reason

JSON: Headers = (("content-type", "application/json"),)
SSE: Headers = (("content-type", "text/event-stream; charset=utf-8"),)
NDJSON: Headers = (("content-type", "application/x-ndjson"),)
AUDIO: Headers = (("content-type", "audio/mpeg"),)
HTML: Headers = (("content-type", "text/html; charset=utf-8"),)
OPAQUE = replace(DIALECT, opaque=True)
SILENT = replace(DIALECT, listen=None)
ANSWER = b'{"answer":"yes"}'


def events(*data: str) -> bytes:
    return b"".join(f"data: {text}\n\n".encode() for text in data)


def asked(dialect: Dialect = DIALECT) -> Call:
    return replace(CALL, dialect=dialect)


CASES: list[tuple[str, Dialect, Reply, bool, Reason | None]] = [
    ("a JSON answer", DIALECT, Reply(200, JSON, ANSWER), True, None),
    (
        "a JSON answer that says its charset",
        DIALECT,
        Reply(200, (("content-type", "Application/JSON; charset=utf-8"),), ANSWER),
        True,
        None,
    ),
    ("a JSON answer without a media type", DIALECT, Reply(200, (), ANSWER), True, None),
    (
        "a JSON answer up to the end of the connection",
        DIALECT,
        Reply(200, JSON, ANSWER, framed=False),
        True,
        None,
    ),
    ("another success", DIALECT, Reply(201, JSON, ANSWER), True, Reason.STATUS),
    ("no content", DIALECT, Reply(204, (), b""), True, Reason.STATUS),
    ("a part", DIALECT, Reply(206, JSON, ANSWER), True, Reason.STATUS),
    ("an error status", DIALECT, Reply(429, JSON, ANSWER), True, Reason.STATUS),
    ("an empty body", DIALECT, Reply(200, JSON, b""), True, Reason.EMPTY),
    ("an empty stream", DIALECT, Reply(200, SSE, b""), True, Reason.EMPTY),
    ("an empty file", OPAQUE, Reply(200, AUDIO, b""), True, Reason.EMPTY),
    ("JSON cut short", SILENT, Reply(200, JSON, ANSWER[:-1]), True, Reason.NOT_JSON),
    ("two JSON documents", SILENT, Reply(200, JSON, ANSWER * 2), True, Reason.NOT_JSON),
    (
        "JSON cut short where a stream may come",
        DIALECT,
        Reply(200, JSON, ANSWER[:-1]),
        True,
        Reason.INCOMPLETE,
    ),
    (
        "JSON cut short, that is no stream by its start",
        DIALECT,
        Reply(200, JSON, b"[1,2"),
        True,
        Reason.NOT_JSON,
    ),
    ("a stream that is called JSON", DIALECT, Reply(200, JSON, events("a", "end")), True, None),
    ("a stream that is called nothing", DIALECT, Reply(200, (), events("a", "end")), True, None),
    (
        "a stream that is called JSON, without its end",
        DIALECT,
        Reply(200, JSON, events("a")),
        True,
        Reason.INCOMPLETE,
    ),
    (
        "a stream that is called JSON and was left",
        DIALECT,
        Reply(200, JSON, events("maybe")),
        False,
        Reason.INCOMPLETE,
    ),
    (
        "a stream that is called JSON and has no end mark",
        DIALECT,
        Reply(200, JSON, events("maybe"), framed=False),
        True,
        Reason.INCOMPLETE,
    ),
    (
        "a stream that is called JSON, where the dialect has none",
        SILENT,
        Reply(200, JSON, events("end")),
        True,
        Reason.NOT_JSON,
    ),
    ("JSON too deep to read", DIALECT, Reply(200, JSON, b"[" * 5000 + b"]" * 5000), True, Reason.NOT_JSON),
    ("not UTF-8", DIALECT, Reply(200, JSON, b'"\xff"'), True, Reason.NOT_JSON),
    ("a page where JSON was asked for", DIALECT, Reply(200, HTML, b"<html>"), True, Reason.NOT_JSON),
    (
        "text where JSON was asked for",
        DIALECT,
        Reply(200, (("content-type", "text/plain"),), b"ok"),
        True,
        Reason.NOT_JSON,
    ),
    ("an error object", DIALECT, Reply(200, JSON, b'{"error":{"code":1}}'), True, Reason.ERROR),
    ("no error", DIALECT, Reply(200, JSON, b'{"error":null}'), True, None),
    ("a stream that ended", DIALECT, Reply(200, SSE, events("a", "end")), True, None),
    ("a stream that ended before its client left", DIALECT, Reply(200, SSE, events("a", "end")), False, None),
    (
        "a stream that ended, up to the end of the connection",
        DIALECT,
        Reply(200, SSE, events("end"), framed=False),
        True,
        None,
    ),
    ("a stream of another form that ended", DIALECT, Reply(200, NDJSON, b"a\nend\n"), True, None),
    ("a stream without its end", DIALECT, Reply(200, SSE, events("a")), True, Reason.INCOMPLETE),
    (
        "a stream cut inside its end",
        DIALECT,
        Reply(200, SSE, b"data: a\n\ndata: en"),
        False,
        Reason.INCOMPLETE,
    ),
    ("a stream with a fault", DIALECT, Reply(200, SSE, events("fault", "end")), True, Reason.ERROR),
    ("a fault after the end", DIALECT, Reply(200, SSE, events("end", "fault")), True, Reason.ERROR),
    ("a stream that only a clean end makes whole", DIALECT, Reply(200, SSE, events("maybe")), True, None),
    ("the same, when its client left", DIALECT, Reply(200, SSE, events("maybe")), False, Reason.INCOMPLETE),
    (
        "the same, with nothing to mark its end",
        DIALECT,
        Reply(200, SSE, events("maybe"), framed=False),
        True,
        Reason.INCOMPLETE,
    ),
    (
        "a stream whose framing is broken",
        DIALECT,
        Reply(200, (("content-type", "application/vnd.amazon.eventstream"),), b"\0" * 40),
        True,
        Reason.INCOMPLETE,
    ),
    ("a stream where the dialect has none", SILENT, Reply(200, SSE, events("end")), True, Reason.INCOMPLETE),
    ("a file", OPAQUE, Reply(200, AUDIO, b"\xff\xf3"), True, None),
    ("a file where JSON was asked for", DIALECT, Reply(200, AUDIO, b"\xff\xf3"), True, Reason.NOT_JSON),
    ("a file whose client left", OPAQUE, Reply(200, AUDIO, b"\xff\xf3"), False, Reason.INCOMPLETE),
    (
        "a file with nothing to mark its end",
        OPAQUE,
        Reply(200, AUDIO, b"\xff\xf3", framed=False),
        True,
        Reason.INCOMPLETE,
    ),
    ("a page where a file was asked for", OPAQUE, Reply(200, HTML, b"<html>"), True, Reason.NOT_JSON),
    ("JSON where a file may come", OPAQUE, Reply(200, JSON, ANSWER), True, None),
    ("an error where a file was asked for", OPAQUE, Reply(200, JSON, b'{"error":"no"}'), True, Reason.ERROR),
    ("a stream where a file may come", OPAQUE, Reply(200, SSE, events("a")), True, Reason.INCOMPLETE),
]


@pytest.mark.parametrize(
    ("dialect", "reply", "clean_end", "expected"), [pytest.param(*case[1:], id=case[0]) for case in CASES]
)
def test_a_reply_is_admitted_or_dropped_for_a_reason(
    dialect: Dialect, reply: Reply, clean_end: bool, expected: Reason | None
) -> None:
    assert admit(asked(dialect), reply, clean_end=clean_end) is expected


def test_the_dialects_own_verdict_is_the_last_word() -> None:
    dialect = replace(DIALECT, judge=lambda document: Reason.CONTENT_FILTER if document == [1] else None)
    assert admit(asked(dialect), Reply(200, JSON, b"[1]")) is Reason.CONTENT_FILTER
    assert admit(asked(dialect), Reply(200, JSON, b'{"error":1}')) is None


def test_the_listener_is_of_the_calls_provider() -> None:
    heard: list[Provider] = []

    def listen(provider: Provider) -> Listener:
        heard.append(provider)
        return EndMark()

    admit(asked(replace(DIALECT, listen=listen)), Reply(200, SSE, events("end")))
    assert heard == [CALL.provider]


def coded(coding: str, body: bytes) -> Reply:
    return Reply(200, (*JSON, ("content-encoding", coding)), body, framed=False)


CODED = [
    ("gzip", gzip.compress(ANSWER)),
    ("x-gzip", gzip.compress(ANSWER)),
    ("GZIP", gzip.compress(ANSWER)),
    ("deflate", zlib.compress(ANSWER)),
    ("br", brotli.compress(ANSWER)),
    ("zstd", zstandard.compress(ANSWER)),
    ("identity", ANSWER),
    ("deflate, gzip", gzip.compress(zlib.compress(ANSWER))),
]


@pytest.mark.parametrize(("coding", "body"), CODED, ids=[coding for coding, _ in CODED])
def test_a_coding_is_undone_and_no_longer_named(coding: str, body: bytes) -> None:
    assert decoded(coded(coding, body), 100) == Reply(200, JSON, ANSWER, framed=False)


def test_a_reply_without_a_coding_is_the_reply() -> None:
    reply = Reply(200, JSON, ANSWER)
    assert decoded(reply, len(ANSWER)) is reply


@pytest.mark.parametrize(
    ("reply", "limit", "partial", "expected"),
    [
        pytest.param(Reply(200, JSON, b"12345"), 4, False, Reason.TOO_LARGE, id="over the limit"),
        pytest.param(
            coded("gzip", gzip.compress(b"1" * 5)), 4, False, Reason.TOO_LARGE, id="decoded over the limit"
        ),
        pytest.param(coded("gzip", gzip.compress(b"1" * 5)), 4, True, Reason.TOO_LARGE, id="in part too"),
        pytest.param(coded("rot13", ANSWER), 100, False, Reason.ENCODING, id="an unknown coding"),
        pytest.param(coded("gzip", ANSWER), 100, False, Reason.ENCODING, id="a coding that is not there"),
        pytest.param(
            coded("gzip", gzip.compress(ANSWER)[:-1]), 100, False, Reason.ENCODING, id="a coding cut short"
        ),
    ],
)
def test_what_cannot_be_decoded_is_dropped_for_a_reason(
    reply: Reply, limit: int, partial: bool, expected: Reason
) -> None:
    assert decoded(reply, limit, partial=partial) is expected


def test_a_stream_cut_inside_its_coding_gives_what_it_holds() -> None:
    """openai-python leaves after `[DONE]`: the coding's own end may never come."""
    packer = zlib.compressobj(wbits=31)
    body = packer.compress(events("a", "end")) + packer.flush(zlib.Z_SYNC_FLUSH)
    reply = decoded(Reply(200, (*SSE, ("content-encoding", "gzip")), body), 100, partial=True)
    assert isinstance(reply, Reply) and reply.body == events("a", "end")
    assert admit(asked(), reply, clean_end=False) is None
