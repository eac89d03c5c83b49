from hypothesis import given
from hypothesis import strategies as st

from mitmcache.cache.framing import frame

PIECES = st.lists(st.binary(max_size=6), max_size=6)


def test_each_piece_stands_behind_its_length() -> None:
    assert frame([b"ab", b""]) == b"\0\0\0\0\0\0\0\2ab" + bytes(8)


@given(PIECES, PIECES)
def test_no_two_lists_give_the_same_bytes(one: list[bytes], other: list[bytes]) -> None:
    assert (frame(one) == frame(other)) == (one == other)


@given(PIECES, st.data())
def test_bytes_that_move_between_pieces_count(pieces: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(pieces)
    cut = data.draw(st.integers(0, len(whole)))
    other = [whole[:cut], whole[cut:]]
    assert (frame(other) == frame(pieces)) == (other == pieces)


@given(PIECES, PIECES)
def test_joined_frames_are_the_frame_of_the_joined_lists(one: list[bytes], other: list[bytes]) -> None:
    assert frame(one) + frame(other) == frame(one + other)
