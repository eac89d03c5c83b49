from binascii import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.wire.events import Event
from mitmcache.wire.eventstream import EventStreamReader
from wire.chunks import cuts, read, singly, split
from wire.frames import Header, frame, prelude, raw_frame, sealed, string

GOOD = frame("chunk", b'{"bytes":"e30="}')
EVENT = Event("chunk", b'{"bytes":"e30="}')


def flipped(data: bytes, index: int) -> bytes:
    changed = bytearray(data)
    changed[index] ^= 1
    return bytes(changed)


def resealed(data: bytes) -> bytes:
    return data[:-4] + crc32(data[:-4]).to_bytes(4)


def test_a_frame_made_elsewhere_is_read() -> None:
    """The documented example: no headers and no payload, and one header with a payload."""
    empty = bytes.fromhex("00000010 00000000 05c248eb 7d98c8ff")
    headed = bytes.fromhex(
        "0000003d 00000020 07fd8396 0c636f6e74656e742d74797065 07 0010"
        "6170706c69636174696f6e2f6a736f6e 7b27666f6f273a27626172277d 8d9c08b1"
    )
    reader = EventStreamReader()
    assert read(reader, [empty + headed]) == [Event("", b""), Event("", b"{'foo':'bar'}")]
    assert not reader.broken


NAMES: list[tuple[str, bytes, Event]] = [
    ("an event", frame("messageStop", b"{}"), Event("messageStop", b"{}")),
    ("an exception", frame("throttlingException", b"{}", message_type="exception"),
     Event("throttlingException", b"{}", error=True)),
    ("an error", frame("InternalError", b"", message_type="error"), Event("InternalError", b"", error=True)),
    ("an exception without a name", raw_frame([string(":message-type", "exception")], b""),
     Event("", b"", error=True)),
    ("a name that is no string", raw_frame([(b":event-type", 6, b"\0\1x")], b"1"), Event("", b"1")),
    ("no headers", raw_frame([], b"1"), Event("", b"1")),
]  # fmt: skip


@pytest.mark.parametrize(("stream", "event"), [case[1:] for case in NAMES], ids=[case[0] for case in NAMES])
def test_names_come_from_the_headers(stream: bytes, event: Event) -> None:
    assert read(EventStreamReader(), [stream]) == [event]


def test_headers_of_every_type_are_passed_over() -> None:
    sizes = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
    headers: list[Header] = [(b"h%d" % kind, kind, b"\7" * size) for kind, size in sizes.items()]
    headers += [(b"bytes", 6, b"\0\3abc"), string(":event-type", "trace"), (b"empty", 6, b"\0\0")]
    assert read(EventStreamReader(), [raw_frame(headers, b"{}")]) == [Event("trace", b"{}")]


BROKEN: list[tuple[str, bytes]] = [
    ("a wrong prelude checksum", flipped(GOOD, 8)),
    ("a wrong one that the message checksum agrees with", resealed(flipped(GOOD, 8))),
    ("a changed length", flipped(GOOD, 3)),
    ("a changed header", flipped(GOOD, 14)),
    ("a changed payload", flipped(GOOD, -5)),
    ("a wrong message checksum", flipped(GOOD, -1)),
    ("headers longer than the frame", sealed(b"", b"1234")[:4] + bytes(3) + b"\7" + b"\0" * 12),
    ("a header of unknown type", raw_frame([(b"a", 10, b"")], b"")),
    ("a header cut in its value", sealed(b"\1a\7\0\5abc", b"12345")),
    ("a header cut in its length", sealed(b"\1a\7\0", b"12345")),
    ("a header cut before its type", sealed(b"\1a", b"12345")),
    ("a header cut in its name", sealed(b"\5a", b"12345")),
    ("a header that is not UTF-8", raw_frame([(b":event-type", 7, b"\0\1\xff")], b"")),
    ("an SSE stream", b"data: {}\n\ndata: [DONE]\n\n"),
]


@pytest.mark.parametrize("bad", [case[1] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_stops_for_good_at(bad: bytes) -> None:
    for chunks in ([GOOD + bad + GOOD], singly(GOOD + bad + GOOD)):
        reader = EventStreamReader()
        assert [event for chunk in chunks for event in reader.feed(chunk)] == [EVENT]
        assert reader.broken


LENGTHS = [
    ("the largest frame", prelude(24 << 20, 0), False),
    ("one byte more", prelude((24 << 20) + 1, 0), True),
    ("the smallest frame", prelude(16, 0), False),
    ("one byte less", prelude(15, 0), True),
    ("headers that just fit", prelude(20, 4), False),
    ("headers that do not", prelude(20, 5), True),
    ("a length that was changed", flipped(prelude(20, 4), 1), True),
]


@pytest.mark.parametrize(
    ("stream", "broken"), [case[1:] for case in LENGTHS], ids=[case[0] for case in LENGTHS]
)
def test_an_impossible_length_is_refused_before_it_is_awaited(stream: bytes, broken: bool) -> None:
    reader = EventStreamReader()
    assert reader.feed(stream) == []
    assert reader.broken is broken


@pytest.mark.parametrize("kept", range(1, len(GOOD)))
def test_a_cut_frame_is_broken_once_closed(kept: int) -> None:
    reader = EventStreamReader()
    assert reader.feed(GOOD + GOOD[:kept]) == [EVENT]
    assert not reader.broken
    assert reader.close() == []
    assert reader.broken


def test_a_stream_that_ends_with_a_frame_is_not() -> None:
    reader = EventStreamReader()
    assert read(reader, [GOOD, GOOD]) == [EVENT, EVENT]
    assert not reader.broken


messages = st.tuples(
    st.text(max_size=20), st.binary(max_size=300), st.sampled_from(["event", "exception", "error"])
)


@given(st.lists(messages, max_size=8), cuts)
def test_what_was_written_is_read(sent: list[tuple[str, bytes, str]], at: list[int]) -> None:
    stream = b"".join(frame(name, payload, message_type=kind) for name, payload, kind in sent)
    reader = EventStreamReader()
    expected = [Event(name, payload, kind != "event") for name, payload, kind in sent]
    assert read(reader, split(stream, at)) == expected
    assert not reader.broken


@given(st.lists(st.sampled_from([GOOD, GOOD[:20], b"\0", flipped(GOOD, 15)])).map(b"".join), cuts)
def test_any_chunking_gives_the_same_events(stream: bytes, at: list[int]) -> None:
    whole, cut = EventStreamReader(), EventStreamReader()
    assert read(cut, split(stream, at)) == read(whole, [stream])
    assert cut.broken == whole.broken


@given(st.integers(0, len(GOOD) * 8 - 1))
def test_no_flipped_bit_goes_unnoticed(bit: int) -> None:
    changed = bytearray(GOOD)
    changed[bit // 8] ^= 1 << bit % 8
    reader = EventStreamReader()
    assert read(reader, [bytes(changed)]) == []
    assert reader.broken
