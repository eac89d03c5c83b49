from pathlib import Path

import pytest

from mitmcache.launch import note
from mitmcache.launch.note import Note

MADE = Note("http://127.0.0.1:8080", "/a folder", "a.example=openai", "live", 7)


def test_what_is_noted_is_read_by_its_user_alone(tmp_path: Path) -> None:
    note.write(tmp_path, MADE)
    assert note.read(tmp_path) == MADE
    assert (tmp_path / note.NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [note.NAME]


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"url": "a", "confdir": "b", "hosts": "c"}'])
def test_what_is_no_note_is_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / note.NAME).write_text(text)
    assert note.read(tmp_path) is None


@pytest.mark.parametrize(("pid", "left"), [(7, False), (8, True)])
def test_a_proxy_removes_its_own_note_alone(tmp_path: Path, pid: int, left: bool) -> None:
    note.write(tmp_path, MADE)
    note.remove(tmp_path, pid)
    note.remove(tmp_path / "none", pid)
    assert (tmp_path / note.NAME).exists() == left
