import os
from pathlib import Path

import pytest

from mitmcache.store.base import LARGE, Large
from mitmcache.store.blobs import Blobs, key_of
from mitmcache.store.rows import File
from store.helpers import Tmpfs, files
from store.samples import blob, key

KEY = key("a")


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    made = Blobs(tmp_path)
    made.create()
    return made


FILE = File(KEY, 17)


def staged(blobs: Blobs, content: bytes) -> Path:
    path = blobs.stage()
    path.write_bytes(content)
    return path


def test_what_is_written_can_be_read_under_its_exact_size_only(blobs: Blobs) -> None:
    blobs.write(FILE, blob(KEY, 100_000))
    assert blobs.read(FILE, 100_000) == blob(KEY, 100_000)
    assert blobs.read(FILE, 99_999) is None
    assert blobs.read(FILE, 100_001) is None
    assert blobs.read(File(KEY, 18), 100_000) is None
    assert blobs.read(File(key("b"), 17), 100_000) is None


def test_every_version_of_a_key_has_a_file_of_its_own(blobs: Blobs, tmp_path: Path) -> None:
    """But for those that the first database version made, which are named by the key alone."""
    for version in (17, 18, 1 << 20, 1 << 21 | 1):
        blobs.write(File(KEY, version), b"%d" % version)
    assert {path.name for path in files(tmp_path)} == {KEY, f"{KEY}.11", f"{KEY}.12", f"{KEY}.200001"}
    assert {key_of(path) for path in files(tmp_path)} == {KEY}
    blobs.remove([FILE, FILE, File(KEY, 1 << 20)])
    assert blobs.read(File(KEY, 18), 2) == b"18"
    assert len(files(tmp_path)) == 2


def test_a_staged_file_is_taken_over_and_taking_it_again_is_harmless(blobs: Blobs, tmp_path: Path) -> None:
    path = staged(blobs, b"large")
    for _ in range(2):
        blobs.place(path, FILE)
        assert files(tmp_path) == [blobs.path(FILE)]
    assert blobs.read(FILE, 5) == b"large"
    assert oct(blobs.path(FILE).stat().st_mode & 0o777) == "0o600"
    with pytest.raises(FileNotFoundError):
        blobs.place(path, File(KEY, 18))


@pytest.mark.parametrize(("size", "is_open"), [(LARGE, False), (LARGE + 1, True)])
def test_more_than_large_comes_as_an_open_file_that_outlives_its_name(
    blobs: Blobs, size: int, is_open: bool
) -> None:
    blobs.write(FILE, bytes(size))
    got = blobs.read(FILE, size)
    blobs.remove([FILE])
    assert got is not None and len(got) == size
    assert isinstance(got, Large) is is_open
    if isinstance(got, Large):
        assert got.file.read() == bytes(size)
        got.file.close()


def test_a_large_file_of_another_size_is_none_and_is_closed(blobs: Blobs) -> None:
    """That it is closed shows in the warning that there is not."""
    blobs.write(FILE, bytes(LARGE + 2))
    assert blobs.read(FILE, LARGE + 1) is None
    assert blobs.read(FILE, LARGE + 3) is None


def test_one_file_that_cannot_be_removed_does_not_save_the_others(blobs: Blobs, tmp_path: Path) -> None:
    blobs.path(File(KEY, 1)).mkdir(parents=True)
    blobs.write(FILE, b"x")
    with pytest.raises(OSError):
        blobs.remove([File(KEY, 1), FILE])
    assert files(tmp_path) == []


def test_a_file_that_does_not_fit_leaves_nothing_behind(tmpfs: Tmpfs) -> None:
    blobs = Blobs(tmpfs.folder)
    blobs.create()
    with pytest.raises(OSError, match="No space left"):
        blobs.write(FILE, bytes(10_000_000))
    assert files(tmpfs.folder) == []


def test_aged_files_are_found_by_age(blobs: Blobs, tmp_path: Path) -> None:
    blobs.write(FILE, b"one")
    path = blobs.path(FILE)
    os.utime(path, (100, 100))
    assert list(blobs.aged(KEY[:2], 100)) == []
    assert list(blobs.aged(KEY[:2], 101)) == [path]
    assert list(blobs.aged("zz", 101)) == []


def test_only_aged_temporary_files_are_removed(blobs: Blobs, tmp_path: Path) -> None:
    old, young = staged(blobs, b"old"), staged(blobs, b"young")
    os.utime(old, (100, 100))
    blobs.remove_aged_staging(101)
    assert files(tmp_path) == [young]
