import io
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.store.seal import (
    LONGEST_SECRET,
    SEGMENT,
    SHORTEST_SECRET,
    START,
    TAG,
    ForeignSeal,
    NotGenuine,
    Seal,
    load_secret,
    sealed_size,
)

SECRET = b"a secret of the tests"
NAME = "v1/sealed/00/0011"
SEAL = Seal(SECRET, "bucket/prefix")
HEADER = 32
CUT = SEGMENT + TAG
SIZES = [0, 1, 100, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, 3 * SEGMENT + 5]
LONG = os.urandom(3 * SEGMENT + 5)


def segments(data: bytes) -> list[bytes]:
    return [data[at : at + CUT] for at in range(HEADER, len(data), CUT)]


@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_is_opened_at_once_and_in_a_stream(size: int) -> None:
    blob = LONG[:size]
    sealed = SEAL.seal(NAME, blob)
    streamed, opened = io.BytesIO(), io.BytesIO()
    assert SEAL.seal_file(NAME, io.BytesIO(blob), streamed) == sealed_size(size) == len(sealed)
    assert SEAL.open_file(NAME, io.BytesIO(sealed), opened) == size
    assert blob == SEAL.open(NAME, sealed) == SEAL.open(NAME, streamed.getvalue()) == opened.getvalue()


def test_the_form_is_pinned() -> None:
    """What is sealed today is opened tomorrow."""
    data = bytes.fromhex(
        "4c4c4d5301000000006503092207f01e0543fd8c0e3da538eaa239cbfb20f3a8"
        "0b5215a8968ab5c93499968c59941cf7d6de4fbc7adcc1dd"
    )
    seal = Seal(b"s" * 16, "bucket/prefix")
    assert seal.open("v1/sealed/00/00", data) == b"a record"
    assert seal.digest("k") == "b1f90ef543926eb01841c46bf3a6aaafbedbe7d445e9d213bbad8e689372ffb2"


def refused(data: bytes, name: str = NAME, seal: Seal = SEAL) -> bool:
    """By each way of opening it."""
    for attempt in (
        lambda: seal.open(name, data),
        lambda: seal.open_file(name, io.BytesIO(data), io.BytesIO()),
    ):
        try:
            attempt()
        except (NotGenuine, ForeignSeal):
            continue
        return False
    return True


def test_every_flipped_bit_and_every_truncation_is_refused() -> None:
    sealed = SEAL.seal(NAME, b"a short record")
    assert not refused(sealed)
    for at in range(len(sealed) * 8):
        broken = bytearray(sealed)
        broken[at // 8] ^= 1 << at % 8
        assert refused(bytes(broken)), at
    for size in range(len(sealed)):
        assert refused(sealed[:size]), size


FIRST, SECOND = SEAL.seal(NAME, LONG), SEAL.seal(NAME, LONG)
A, B = segments(FIRST), segments(SECOND)
CHANGED: list[tuple[str, bytes]] = [
    ("two segments in another order", b"".join((FIRST[:HEADER], A[1], A[0], *A[2:]))),
    ("a segment twice", b"".join((FIRST[:HEADER], A[0], A[0], *A[2:]))),
    ("a segment less", b"".join((FIRST[:HEADER], A[0], *A[2:]))),
    ("the first segment less", b"".join((FIRST[:HEADER], *A[1:]))),
    ("the last segment less", b"".join((FIRST[:HEADER], *A[:-1]))),
    ("no segment", FIRST[:HEADER]),
    ("a segment of another object of this name", b"".join((FIRST[:HEADER], A[0], B[1], *A[2:]))),
    ("the header of another object of this name", SECOND[:HEADER] + FIRST[HEADER:]),
    ("a byte more", FIRST + b"\0"),
    ("a segment more", FIRST + A[-1]),
    ("a whole object more", FIRST + SECOND),
    ("a byte less", FIRST[:-1]),
    ("a flipped bit in the middle", FIRST[:CUT] + bytes([FIRST[CUT] ^ 1]) + FIRST[CUT + 1 :]),
    ("nothing", b""),
    ("not sealed", b"LLMC" + LONG),
]


@pytest.mark.parametrize("data", [pytest.param(case[1], id=case[0]) for case in CHANGED])
def test_what_was_changed_is_refused(data: bytes) -> None:
    assert not refused(FIRST)
    assert refused(data)


@pytest.mark.parametrize("size", [SEGMENT, 2 * SEGMENT])
def test_an_object_cut_where_a_segment_ends_is_refused(size: int) -> None:
    assert refused(SEAL.seal(NAME, LONG)[: sealed_size(size)])


def test_it_opens_only_under_its_name_with_its_secret_in_its_namespace() -> None:
    assert refused(FIRST, name=NAME + "1")
    assert refused(FIRST, seal=Seal(SECRET + b".", "bucket/prefix"))
    assert refused(FIRST, seal=Seal(SECRET, "bucket/prefix2"))


def test_another_version_is_told_apart_from_damage() -> None:
    with pytest.raises(ForeignSeal):
        SEAL.open(NAME, FIRST[:4] + b"\x02" + FIRST[5:])


def test_equal_records_look_different_and_show_nothing() -> None:
    blob = b"a prompt that nobody may read" * 3
    assert SEAL.seal(NAME, blob)[4:] != SEAL.seal(NAME, blob)[4:]
    assert blob[:8] not in SEAL.seal(NAME, blob)


def test_names_are_the_same_for_all_who_have_the_secret_and_for_nobody_else() -> None:
    digests = {Seal(s, n).digest(k) for s in (SECRET, SECRET + b".") for n in ("a", "b") for k in ("1", "2")}
    assert len(digests) == 8
    assert Seal(SECRET, "a").digest("1") in digests


@given(st.sampled_from(SIZES), st.integers(0, 3 * CUT) | st.sampled_from([START, START - 1, HEADER]))
def test_the_start_of_an_object_gives_its_whole_segments(size: int, got: int) -> None:
    sealed = SEAL.seal(NAME, LONG[:size])
    data = sealed[:got]
    whole = size if len(data) == len(sealed) else max(0, len(data) - HEADER) // CUT * SEGMENT
    if whole or len(data) == len(sealed):
        assert SEAL.open_start(NAME, data) == LONG[:whole]
    else:
        with pytest.raises(NotGenuine):
            SEAL.open_start(NAME, data)


def test_a_start_that_was_changed_is_refused() -> None:
    data = FIRST[: START + 10]
    assert SEAL.open_start(NAME, data) == LONG[:SEGMENT]
    with pytest.raises(NotGenuine):
        SEAL.open_start(NAME + "1", data)
    for at in (5, 20, HEADER, START - 1):
        with pytest.raises(NotGenuine):
            SEAL.open_start(NAME, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    two = FIRST[: START + CUT]
    assert SEAL.open_start(NAME, two) == LONG[: 2 * SEGMENT]
    with pytest.raises(NotGenuine):
        SEAL.open_start(NAME, two[:-1] + bytes([two[-1] ^ 1]))
    with pytest.raises(ForeignSeal):
        SEAL.open_start(NAME, data[:4] + b"\x02" + data[5:])


class Dripping(io.RawIOBase):
    """Gives `size` zero bytes, an odd number at a time."""

    def __init__(self, size: int) -> None:
        self._left = size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        given = min(self._left, size, 50_001)
        self._left -= given
        return bytes(given)


class Sink(io.RawIOBase):
    def write(self, data: object) -> int:
        return len(memoryview(data))  # type: ignore[arg-type]


def test_a_file_is_never_held_in_memory(tmp_path: Path) -> None:
    size = 32 << 20
    with (tmp_path / "sealed").open("wb+") as sealed:
        tracemalloc.start()
        SEAL.seal_file(NAME, Dripping(size), sealed)  # type: ignore[arg-type]
        sealed.seek(0)
        assert SEAL.open_file(NAME, sealed, Sink()) == size  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 10 * SEGMENT


def test_a_secret_is_read_from_a_file_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"\n " + SECRET + b"\n")
    assert load_secret(str(file), {}) == SECRET
    assert load_secret("env:S", {"S": SECRET.decode() + "\n"}) == SECRET


HIDDEN = "correct-horse-battery-staple"
BAD: list[tuple[str, str, str]] = [
    ("a variable that is not set", f"env:{HIDDEN}", "is not set"),
    ("no variable", "env:", "is not set"),
    ("a short variable", "env:SHORT", "too short"),
    ("an empty variable", "env:EMPTY", "too short"),
    ("the secret itself", HIDDEN, "must name a file"),
    ("a path that cannot be", HIDDEN + "\0", "must name a file"),
    ("a user who does not exist", "~" + HIDDEN + "/x", "cannot be read"),
    ("a name too long for a file", HIDDEN * 100, ""),
    ("a folder", "folder", "must name a file"),
    ("a short file", "short", "too short"),
    ("a long file", "long", "too long"),
]


@pytest.mark.parametrize(("text", "told"), [pytest.param(*case[1:], id=case[0]) for case in BAD])
def test_what_is_wrong_with_a_secret_is_told_without_showing_it(
    text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "short").write_text(HIDDEN[: SHORTEST_SECRET - 1] + " " * 20)
    (tmp_path / "long").write_text(HIDDEN + " " * LONGEST_SECRET)
    environ = {"SHORT": HIDDEN[: SHORTEST_SECRET - 1], "EMPTY": ""}
    with pytest.raises(ValueError) as caught:
        load_secret(text, environ)
    assert told in str(caught.value)
    assert HIDDEN[:8] not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
