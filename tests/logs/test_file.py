import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from mitmcache.logs import file
from mitmcache.logs.file import KEPT, LogFile, Stream

LINE = b"x" * 9 + b"\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.jsonl"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def older(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def test_lines_are_appended_to_a_file_of_the_owners_alone(path: Path) -> None:
    for _ in range(2):
        log = LogFile(path, 1000)
        log.write([b"a\n", b"b\n"])
        log.close()
    assert path.read_bytes() == b"a\nb\n" * 2 and mode(path) == 0o600


@pytest.mark.parametrize(("private", "expected"), [(False, 0o640), (True, 0o600)])
def test_the_mode_of_a_file_that_is_there_is_its_owners_choice_unless_it_is_private(
    path: Path, private: bool, expected: int
) -> None:
    path.touch()
    path.chmod(0o640)
    LogFile(path, 1000, private=private).close()
    assert mode(path) == expected


def test_a_full_file_is_moved_away_and_the_oldest_is_dropped(path: Path) -> None:
    log = LogFile(path, 20)
    for number in range(2 * (KEPT + 3)):
        log.write([b"%08d.\n" % number])
    log.close()
    files = [path, *(older(path, number) for number in range(1, KEPT + 1))]
    assert sorted(path.parent.iterdir()) == sorted(files)
    assert [each.stat().st_size for each in files] == [20] * len(files)
    assert {mode(each) for each in files} == {0o600}
    written = b"".join(each.read_bytes() for each in reversed(files)).split()
    assert written == [b"%08d." % number for number in range(4, 2 * (KEPT + 3))]


def test_one_batch_may_fill_several_files_and_no_line_is_split(path: Path) -> None:
    log = LogFile(path, 25)
    log.write([LINE] * 5)
    log.close()
    assert [each.read_bytes() for each in (older(path, 2), older(path, 1), path)] == [
        LINE * 2,
        LINE * 2,
        LINE,
    ]


def test_a_line_longer_than_the_limit_has_a_file_of_its_own(path: Path) -> None:
    log = LogFile(path, 5)
    log.write([LINE, LINE])
    log.close()
    assert path.read_bytes() == older(path, 1).read_bytes() == LINE


def test_without_a_limit_nothing_is_moved(path: Path) -> None:
    log = LogFile(path, 0)
    log.write([LINE] * 100)
    log.close()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("removed", [False, True])
def test_a_file_that_was_taken_away_is_opened_anew(path: Path, removed: bool) -> None:
    log = LogFile(path, 1000)
    log.write([b"a\n"])
    if removed:
        path.unlink()
    else:
        path.rename(older(path, 1))
    log.write([b"b\n"])
    log.close()
    assert path.read_bytes() == b"b\n"


def test_two_processes_that_share_a_file_move_it_once(path: Path) -> None:
    one, other = LogFile(path, 20), LogFile(path, 20)
    for log in (one, other, one, other):
        log.write([LINE])
    assert [each.read_bytes() for each in (older(path, 1), path)] == [LINE * 2, LINE * 2]
    one.close()
    other.close()


def test_of_a_link_the_file_is_moved(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "folder" / "link"
    link.parent.mkdir()
    link.symlink_to(path)
    log = LogFile(link, 10)
    log.write([LINE, LINE])
    log.close()
    assert link.is_symlink() and list(link.parent.iterdir()) == [link]
    assert path.read_bytes() == older(path, 1).read_bytes() == LINE


def test_a_file_that_is_named_as_a_device_is_never_moved(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "DEVICES", path.parent)
    log = LogFile(path, 10)
    log.write([LINE] * 3)
    log.close()
    assert list(path.parent.iterdir()) == [path] and path.read_bytes() == LINE * 3


def test_of_two_that_are_about_to_move_it_the_second_does_not(path: Path) -> None:
    one, other = LogFile(path, 20), LogFile(path, 20)
    one.write([LINE])
    for log in (one, other):
        log._rotate()
    assert sorted(path.parent.iterdir()) == [path, older(path, 1)] and older(path, 1).read_bytes() == LINE
    one.close()
    other.close()


def test_after_half_a_line_the_next_begins_on_its_own(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = LogFile(path, 1000)
    real, room = os.write, [3]

    def write(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real(descriptor, data[: room[0]])
        room[0] -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(OSError, match="No space"):
            log.write([LINE])
    log.write([b"whole\n"])
    log.close()
    assert path.read_bytes() == b"xxx\nwhole\n"


BAD = ["missing/calls.jsonl", "."]


@pytest.mark.parametrize("name", BAD)
def test_a_place_that_cannot_be_written_to_is_an_error_at_once(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match=r"No such file|Is a directory"):
        LogFile(tmp_path / name, 1000)


def test_a_pipe_that_nobody_reads_is_an_error_and_does_not_wait(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(OSError, match="No such device"):
        LogFile(path, 1000)


def test_a_device_is_written_to_and_never_moved() -> None:
    log = LogFile(Path(os.devnull), 5)
    log.write([LINE] * 3)
    log.close()
    assert Path(os.devnull).is_char_device()


def test_a_stream_gets_all_of_it_and_stays_open() -> None:
    reader, writer = os.pipe()
    target, read = Stream(writer), []

    def take() -> None:
        with os.fdopen(reader, "rb") as stream:
            read.append(stream.read())

    reading = threading.Thread(target=take)
    reading.start()
    target.write([LINE] * 100_000)
    target.close()
    os.close(writer)
    reading.join(60)
    assert read == [LINE * 100_000]
