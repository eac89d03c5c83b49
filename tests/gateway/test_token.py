import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mitmcache.gateway import token


def mode(folder: Path) -> int:
    return stat.S_IMODE((folder / token.NAME).stat().st_mode)


def test_it_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = token.ensure(tmp_path)
    finally:
        os.umask(before)
    assert (token.ensure(tmp_path), token.read(tmp_path), mode(tmp_path)) == (made, made, 0o600)
    assert len(made) == 43 and [path.name for path in tmp_path.iterdir()] == [token.NAME]


def test_two_folders_have_two(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert token.ensure(tmp_path / "a") != token.ensure(tmp_path / "b")


def test_whoever_makes_it_at_once_gets_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: token.ensure(tmp_path), range(32)))
    assert made == {token.read(tmp_path)}


def test_one_that_others_could_read_is_replaced(tmp_path: Path) -> None:
    made = token.ensure(tmp_path)
    (tmp_path / token.NAME).chmod(0o644)
    assert token.read(tmp_path) == ""
    again = token.ensure(tmp_path)
    assert again != made and (token.read(tmp_path), mode(tmp_path)) == (again, 0o600)


@pytest.mark.parametrize("text", ["", "short", "x" * 44, "ä" * 43, " " * 43])
def test_what_is_no_token_is_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / token.NAME).write_text(text)
    (tmp_path / token.NAME).chmod(0o600)
    assert token.read(tmp_path) == ""
    assert token.ensure(tmp_path) == token.read(tmp_path) != ""


def test_a_link_to_another_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    made = token.ensure(tmp_path / "else")
    (tmp_path / token.NAME).symlink_to(tmp_path / "else" / token.NAME)
    assert token.read(tmp_path) == "" and token.ensure(tmp_path) != made
    assert token.read(tmp_path / "else") == made


def test_where_there_is_no_folder_there_is_none(tmp_path: Path) -> None:
    assert token.read(tmp_path / "none") == ""
    with pytest.raises(OSError):
        token.ensure(tmp_path / "none")
