import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.wire.events import Event
from mitmcache.wire.ndjson import NdjsonReader
from wire.chunks import cuts, read, singly, split

CASES: list[tuple[str, bytes, list[bytes]]] = [
    ("LF ends a line", b'{"a":1}\n{"a":2}\n', [b'{"a":1}', b'{"a":2}']),
    ("so does CRLF", b'{"a":1}\r\n{"a":2}\r\n', [b'{"a":1}', b'{"a":2}']),
    ("CR alone does not", b"1\r2\n", [b"1\r2"]),
    ("blank lines are nothing", b"\n \n\t\r\n1\n\n\r\n2\n", [b"1", b"2"]),
    ("white space round a document stays", b" 1 \n", [b" 1 "]),
    ("the last line needs no end", b"1\n2", [b"1", b"2"]),
    ("nor does an only line", b"1\r", [b"1"]),
    ("no bytes are no event", b"", []),
]


@pytest.mark.parametrize(
    ("stream", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_parses(stream: bytes, expected: list[bytes]) -> None:
    for chunks in ([stream], singly(stream)):
        reader = NdjsonReader()
        assert read(reader, chunks) == [Event("", line) for line in expected]
        assert not reader.broken


@given(st.lists(st.sampled_from([b"\n", b"\r", b" ", b"{}", b'"\\n"', b"12"])).map(b"".join), cuts)
def test_any_chunking_gives_the_same_events(stream: bytes, at: list[int]) -> None:
    assert read(NdjsonReader(), split(stream, at)) == read(NdjsonReader(), [stream])


def test_an_event_is_given_with_its_line_end() -> None:
    reader = NdjsonReader()
    assert reader.feed(b"{}") == []
    assert reader.feed(b"\n") == [Event("", b"{}")]


LIMITS = [
    ("a line of the limit", b"1\n1234\n2\n", ["1", "1234", "2"], False),
    ("a line past it", b"1\n12345\n2\n", ["1"], True),
    ("an unfinished line past it", b"1\n12345", ["1"], True),
]


@pytest.mark.parametrize(
    ("stream", "expected", "broken"), [c[1:] for c in LIMITS], ids=[c[0] for c in LIMITS]
)
def test_a_line_past_the_limit_breaks(stream: bytes, expected: list[str], broken: bool) -> None:
    for chunks in ([stream], singly(stream)):
        reader = NdjsonReader(limit=4)
        assert [event.data.decode() for event in read(reader, chunks)] == expected
        assert reader.broken is broken
        assert reader.feed(b"9\n") == ([] if broken else [Event("", b"9")])


def test_what_is_past_the_limit_is_not_awaited() -> None:
    for chunks in ([b"12345"], singly(b"12345")):
        reader = NdjsonReader(limit=4)
        assert [reader.feed(chunk) for chunk in chunks] == [[]] * len(chunks)
        assert reader.broken
