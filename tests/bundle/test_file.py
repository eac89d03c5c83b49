"""The form of a bundle: what is written can be read, and what was not written here is refused or told."""

import io
import tarfile
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.bundle.file import (
    MANIFEST,
    MAX_RECORD,
    BadBundle,
    BundleWriter,
    Member,
    Refused,
    read_bundle,
    read_notes,
)

KEYS = [f"{n:064x}" for n in range(1, 9)]


def name(key: str) -> str:
    return f"v1/entries/made/m-1.2_x/{key}"


def written(*records: bytes) -> bytes:
    file = io.BytesIO()
    writer = BundleWriter(file)
    for key, record in zip(KEYS, records, strict=False):
        writer.add(name(key), len(record), 1_800_000_000.9, io.BytesIO(record))
    writer.close()
    return file.getvalue()


def read(data: bytes) -> list[tuple[str, bytes | str]]:
    """(key, bytes) of the records and (name, reason) of what is refused."""
    return [
        (part.key, part.file.read(part.size)) if isinstance(part, Member) else (part.name, part.reason)
        for part in read_bundle(io.BytesIO(data))
    ]


def tar(*members: tuple[tarfile.TarInfo, bytes], format: int = tarfile.USTAR_FORMAT) -> bytes:
    """As another program makes it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format) as archive:
        for info, data in members:
            info.size = info.size or len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def manifest(records: int, size: int) -> tuple[tarfile.TarInfo, bytes]:
    text = f'{{"bundle": 1, "records": {records}, "bytes": {size}}}'
    return tarfile.TarInfo(MANIFEST), text.encode()


def link(kind: bytes, called: str) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(called)
    info.type, info.linkname = kind, "/etc/passwd"
    return info, b""


@given(st.lists(st.binary(max_size=3000), max_size=len(KEYS)))
def test_what_is_written_can_be_read(records: list[bytes]) -> None:
    assert read(written(*records)) == list(zip(KEYS, records, strict=False))


def test_it_is_a_tar_that_any_program_can_read_and_says_nothing_of_its_maker() -> None:
    with tarfile.open(fileobj=io.BytesIO(written(b"one", b"two")), mode="r:") as archive:
        members = archive.getmembers()
        assert [member.name for member in members] == [name(KEYS[0]), name(KEYS[1]), MANIFEST]
        first = members[0]
        assert (first.mtime, first.uid, first.gid, first.uname, first.gname) == (1_800_000_000, 0, 0, "", "")
        data = archive.extractfile(members[1])
        assert data is not None and data.read() == b"two"


def test_a_record_that_has_shrunk_is_told() -> None:
    with pytest.raises(EOFError):
        BundleWriter(io.BytesIO()).add(name(KEYS[0]), 4, 0, io.BytesIO(b"one"))


def test_what_is_not_read_is_passed_over() -> None:
    data = io.BytesIO(written(b"1" * 5000, b"two"))
    assert [part.key for part in read_bundle(data) if isinstance(part, Member)] == KEYS[:2]


def test_one_packed_again_by_another_program_is_read() -> None:
    folder = tarfile.TarInfo("v1/entries")
    folder.type = tarfile.DIRTYPE
    record = tarfile.TarInfo(name(KEYS[0]))
    record.mtime = 1.5  # needs an extended header
    data = tar(manifest(1, 3), (folder, b""), (record, b"one"), format=tarfile.PAX_FORMAT)
    assert read(data) == [(KEYS[0], b"one")]


REFUSED: list[tuple[str, str]] = [
    ("/etc/passwd", "not a name of a record"),
    ("../../v1/entries/made/m/" + KEYS[0], "not a name of a record"),
    ("v1/entries/../../" + KEYS[0], "not a name of a record"),
    ("v1/entries/made/../" + KEYS[0], "not a name of a record"),
    ("v1/entries/made/m/" + KEYS[0] + "/more", "not a name of a record"),
    ("v1/entries/made/m/" + KEYS[0][1:], "not a name of a record"),
    ("v1/entries/made/m/" + KEYS[0].upper().replace("0", "A"), "not a name of a record"),
    ("v1/control/generations", "not a name of a record"),
    ("v2/entries/made/m/" + KEYS[0], "not a name of a record"),
]


@pytest.mark.parametrize(("called", "reason"), REFUSED)
def test_a_name_that_no_record_has_is_refused_and_the_rest_is_read(called: str, reason: str) -> None:
    data = tar((tarfile.TarInfo(called), b"x"), (tarfile.TarInfo(name(KEYS[0])), b"one"), manifest(1, 3))
    assert read(data) == [(called, reason), (KEYS[0], b"one")]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(kind: bytes) -> None:
    assert read(tar(link(kind, name(KEYS[0])), manifest(0, 0))) == [(name(KEYS[0]), "not a plain file")]


def test_a_record_beyond_all_measure_is_refused_unread() -> None:
    info = tarfile.TarInfo(name(KEYS[0]))
    info.size = MAX_RECORD + 1
    parts = read_bundle(io.BytesIO(info.tobuf(tarfile.USTAR_FORMAT)))
    assert next(parts) == Refused(name(KEYS[0]), "larger than 4 GiB")


WHOLE = written(b"one", b"2" * 1000)
DAMAGED: list[tuple[str, bytes, str, int]] = [
    ("nothing at all", b"", "its end is missing", 0),
    ("something else", b"{}" * 400, "not a tar file", 0),
    ("cut in a head", WHOLE[:100], "cut short", 0),
    ("cut in a record", WHOLE[:1540], "cut short", 1),
    ("cut between records", WHOLE[:1024], "its end is missing", 1),
    ("without its end", WHOLE[:2560], "its end is missing", 2),
    ("a head with a flipped bit", WHOLE[:1030] + b"\x01" + WHOLE[1031:], "not a tar file", 1),
    ("fewer records than it had", WHOLE[:1024] + WHOLE[2560:], "it had 2 records, and has 1", 1),
    ("a size below zero", tarfile.TarInfo("x").tobuf()[:124] + b"\xff" * 12, "cut short", 0),
    ("another manifest", tar((tarfile.TarInfo(MANIFEST), b"[]")), "its manifest cannot be read", 0),
    (
        "a later version",
        tar((tarfile.TarInfo(MANIFEST), b'{"bundle":2,"records":0,"bytes":0}')),
        "version",
        0,
    ),
]


@pytest.mark.parametrize(("data", "words", "before"), [c[1:] for c in DAMAGED], ids=[c[0] for c in DAMAGED])
def test_damage_is_told_after_what_is_whole(data: bytes, words: str, before: int) -> None:
    parts = read_bundle(io.BytesIO(data))
    whole = []
    with pytest.raises(BadBundle, match=words):
        for part in parts:
            assert isinstance(part, Member)
            taken = b"".join(iter(_chunks(part), b""))
            assert len(taken) == part.size
            whole.append(part.key)
    assert whole == KEYS[:before]


def _chunks(part: Member) -> Callable[[], bytes]:
    return lambda: part.file.read(700)


@given(st.binary(max_size=1100), st.integers(0, 2000))
def test_rubbish_never_raises_anything_else(rubbish: bytes, at: int) -> None:
    with suppress(BadBundle):
        read(WHOLE[:at] + rubbish + WHOLE[at + len(rubbish) :])


def test_notes_are_read_by_themselves_and_are_no_record() -> None:
    file = io.BytesIO()
    writer = BundleWriter(file)
    writer.add(name(KEYS[0]), 3, 0, io.BytesIO(b"one"))
    writer.notes(b'{"a": 1}')
    writer.close()
    assert read_notes(io.BytesIO(file.getvalue())) == b'{"a": 1}'
    assert read(file.getvalue()) == [(KEYS[0], b"one")]


def test_a_bundle_without_notes_has_none() -> None:
    assert read_notes(io.BytesIO(written(b"one"))) == b""
    with pytest.raises(BadBundle):
        read_notes(io.BytesIO(b"rubbish" * 100))
