import os
from pathlib import Path

import pytest

from mitmcache.store.blobs import Blobs
from store.helpers import Tmpfs, files
from store.samples import blob, key

KEY = key("a")


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    made = Blobs(tmp_path)
    made.create()
    return made


def put(blobs: Blobs, blob: bytes) -> None:
    blobs.place(blobs.stage(blob), KEY)


def test_what_is_placed_can_be_read_under_its_exact_size_only(blobs: Blobs) -> None:
    put(blobs, blob(KEY, 100_000))
    assert blobs.read(KEY, 100_000) == blob(KEY, 100_000)
    assert blobs.read(KEY, 99_999) is None
    assert blobs.read(KEY, 100_001) is None
    assert blobs.read(key("b"), 100_000) is None


def test_placing_again_replaces_and_leaves_no_other_file(blobs: Blobs, tmp_path: Path) -> None:
    put(blobs, b"one")
    put(blobs, b"three")
    assert files(tmp_path) == [tmp_path / "blobs" / KEY[:2] / KEY]
    assert blobs.read(KEY, 5) == b"three"
    blobs.remove(KEY)
    blobs.remove(KEY)
    assert files(tmp_path) == []


def test_a_file_that_does_not_fit_leaves_nothing_behind(tmpfs: Tmpfs) -> None:
    blobs = Blobs(tmpfs.folder)
    blobs.create()
    with pytest.raises(OSError, match="No space left"):
        blobs.stage(bytes(10_000_000))
    assert files(tmpfs.folder) == []


def test_aged_files_are_found_by_age_and_looked_at_again_before_they_go(blobs: Blobs, tmp_path: Path) -> None:
    put(blobs, b"one")
    path = tmp_path / "blobs" / KEY[:2] / KEY
    os.utime(path, (100, 100))
    assert list(blobs.aged(KEY[:2], 100)) == []
    assert list(blobs.aged(KEY[:2], 101)) == [KEY]
    assert list(blobs.aged("zz", 101)) == []
    os.utime(path, (200, 200))
    blobs.remove_if_aged(KEY, 101)
    assert files(tmp_path) == [path]
    blobs.remove_if_aged(KEY, 201)
    blobs.remove_if_aged(KEY, 201)
    assert files(tmp_path) == []
