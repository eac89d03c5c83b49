import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.wire.events import Event
from mitmcache.wire.sse import SseReader
from wire.chunks import cuts, read, singly, split


def data(*values: bytes) -> list[Event]:
    return [Event("", value) for value in values]


CASES: list[tuple[str, bytes, list[Event]]] = [
    ("a data line and a blank line are an event", b"data: a\n\n", data(b"a")),
    ("CRLF ends lines", b"event: e\r\ndata: a\r\n\r\n", [Event("e", b"a")]),
    ("CR ends lines", b"event: e\rdata: a\r\rdata: b\r\r", [Event("e", b"a"), *data(b"b")]),
    ("line ends may be mixed", b"data: a\r\rdata: b\n\r\ndata: c\r\n\n", data(b"a", b"b", b"c")),
    ("LF CR is two line ends", b"data: a\n\rdata: b\n\n", data(b"a", b"b")),
    ("one byte order mark is skipped", b"\xef\xbb\xbfdata: a\n\n", data(b"a")),
    ("a second byte order mark is not", b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", data(b"b")),
    ("nor one that comes later", b"\n\xef\xbb\xbfdata: a\n\n", []),
    ("a stream of nothing but the mark is empty", b"\xef\xbb\xbf", []),
    ("comments are skipped", b": OPENROUTER PROCESSING\n\n:\n\ndata: a\n: x\n\n", data(b"a")),
    ("a comment does not end an event", b"data: a\n: x\ndata: b\n\n", data(b"a\nb")),
    ("data lines are joined by LF", b"data: a\r\ndata\r\ndata:\r\ndata: b\r\n\r\n", data(b"a\n\n\nb")),
    ("one space after the colon goes", b"data:a\n\ndata: a\n\ndata:  a\n\n", data(b"a", b"a", b" a")),
    ("a tab does not", b"data:\ta\n\n", data(b"\ta")),
    ("only the first colon divides", b"data: a: b\n\n", data(b"a: b")),
    ("the last event name counts", b"event: x\nevent: y\ndata: a\n\n", [Event("y", b"a")]),
    ("a name may follow its data", b"data: a\nevent: y\n\n", [Event("y", b"a")]),
    ("a name does not outlive its event", b"event: x\n\ndata: a\n\n", data(b"a")),
    ("a name that is not UTF-8 is still a name", b"event: \xff\ndata: a\n\n", [Event("�", b"a")]),
    ("an event without data is none", b"event: ping\n\nid: 1\n\nretry: 5\n\n", []),
    ("an empty data line is data", b"data\n\ndata:\n\n", data(b"", b"")),
    ("field names are compared exactly", b"Data: a\n data: b\ndata : c\ndatum: d\nerrors: e\n\n", []),
    ("id and retry are ignored", b"id: 7\nretry: 10\ndata: a\n\n", data(b"a")),
    ("a last event needs no blank line", b"data: [DONE]\n", data(b"[DONE]")),
    ("nor a line end", b"data: a\n\ndata: [DONE]", data(b"a", b"[DONE]")),
    ("an error field is an error event", b'error: {"a":1}\n\n', [Event("", b'{"a":1}', error=True)]),
    ("even without an end", b"error: {}", [Event("", b"{}", error=True)]),
    ("an event named error is not one", b"event: error\ndata: a\n\n", [Event("error", b"a")]),
    (
        "bytes other than line ends are data",
        b"data: \x00\x0b\x0c\x1c\xc2\x85\n\n",
        data(b"\x00\x0b\x0c\x1c\xc2\x85"),
    ),
    ("JSON outside any field is an error event", b'{"a": 1}', [Event("", b'{"a": 1}', error=True)]),
    ("of many lines the first", b'data: a\n\n{\n  "a": 1\n}\n', [*data(b"a"), Event("", b"{", error=True)]),
    ("so is an array", b"data: a\r\n\r\n[{\r\n", [*data(b"a"), Event("", b"[{", error=True)]),
    ("JSON in a comment or behind a space is not", b': {"a": 1}\n {"a": 1}\n[DONE]\n', []),
    ("no bytes are no event", b"", []),
]


@pytest.mark.parametrize(
    ("stream", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_parses(stream: bytes, expected: list[Event]) -> None:
    assert read(SseReader(), [stream]) == expected
    assert read(SseReader(), singly(stream)) == expected


lines = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20).map(str.encode)
fields = st.builds(
    lambda name, colon, value: name + colon + value,
    st.sampled_from([b"data", b"event", b"error", b"id", b"", b"other"]),
    st.sampled_from([b":", b": ", b""]),
    lines,
)
streams = st.lists(st.tuples(fields | lines | st.just(b""), st.sampled_from([b"\n", b"\r\n", b"\r"]))).map(
    lambda parts: b"".join(line + end for line, end in parts)
)


@given(streams | st.binary(), cuts)
def test_any_chunking_gives_the_same_events(stream: bytes, at: list[int]) -> None:
    assert read(SseReader(), split(stream, at)) == read(SseReader(), [stream])


@given(
    st.lists(st.tuples(lines, st.lists(lines, min_size=1, max_size=4))),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    cuts,
)
def test_what_was_written_is_read(sent: list[tuple[bytes, list[bytes]]], end: bytes, at: list[int]) -> None:
    stream = b""
    for name, values in sent:
        stream += b"event: " + name + end + b"".join(b"data: " + value + end for value in values) + end
    expected = [Event(name.decode(), b"\n".join(values)) for name, values in sent]
    assert read(SseReader(), split(stream, at)) == expected


def test_an_event_is_given_with_the_byte_that_completes_it() -> None:
    reader = SseReader()
    assert [len(reader.feed(byte)) for byte in singly(b"data: a\r\n\r\n")] == [0] * 9 + [1, 0]


def test_an_error_field_is_given_before_the_blank_line() -> None:
    assert SseReader().feed(b"error: {}\n") == [Event("", b"{}", error=True)]


LIMITS = [
    ("a line of the limit", b"data: a\n\ndata: 7890\n\n", ["a", "7890"], False),
    ("a line past it", b"data: a\n\ndata: 78901\n\ndata: b\n\n", ["a"], True),
    ("an unfinished line past it", b"data: a\n\ndata: 78901", ["a"], True),
    ("a comment past it", b"data: a\n\n:234567890123\n\ndata: b\n\n", ["a"], True),
]


@pytest.mark.parametrize(
    ("stream", "expected", "broken"), [c[1:] for c in LIMITS], ids=[c[0] for c in LIMITS]
)
def test_a_line_past_the_limit_breaks(stream: bytes, expected: list[str], broken: bool) -> None:
    for chunks in ([stream], singly(stream)):
        reader = SseReader(limit=10)
        assert [event.data.decode() for event in read(reader, chunks)] == expected
        assert reader.broken is broken
        assert reader.feed(b"data: late\n\n") == ([] if broken else data(b"late"))


def test_data_lines_without_end_break() -> None:
    """Empty lines count too: each costs memory."""
    reader = SseReader(limit=1 << 10)
    assert reader.feed(b"data\n" * 8) == []
    assert not reader.broken
    assert reader.feed(b"data\n" * 100 + b"\n") == []
    assert reader.broken


def test_the_size_of_one_event_is_not_held_against_the_next() -> None:
    reader = SseReader(limit=200)
    assert len(read(reader, [b"data: a\ndata: b\n\n" * 100])) == 100
    assert not reader.broken


def test_what_is_past_the_limit_is_not_awaited() -> None:
    for chunks in ([b"data: 78901"], singly(b"data: 78901")):
        reader = SseReader(limit=10)
        assert [reader.feed(chunk) for chunk in chunks] == [[]] * len(chunks)
        assert reader.broken
