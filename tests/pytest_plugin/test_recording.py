"""A recording is written scrubbed, checked, and whole or not at all."""

import io
import json
from pathlib import Path

import pytest

from cli.console import made
from mitmcache.bundle.file import BundleWriter, Member, read_bundle, read_notes
from mitmcache.cache import record
from mitmcache.cache.record import Record
from mitmcache.pytest_plugin import recording
from mitmcache.store.names import Names

HIDDEN = {"SOME_KEY": "the-very-secret"}
NOTES = {"variables": ["SOME_KEY"], "requests": {}}


def source(folder: Path, *records: Record) -> Path:
    path = folder / "source.tar"
    with path.open("wb") as file:
        writer = BundleWriter(file)
        for one in records:
            blob = record.encode(one)
            writer.add(Names().entry(one.key, one.about), len(blob), one.created, io.BytesIO(blob))
        writer.close()
    return path


def kept(path: Path) -> list[Record]:
    with path.open("rb") as file:
        return [record.decode(p.file.read(p.size), p.key) for p in read_bundle(file) if isinstance(p, Member)]


def same(data: bytes) -> bytes:
    return data


def test_answers_and_notes_can_be_read_back(tmp_path: Path) -> None:
    target = tmp_path / "folder" / "test.tar"
    records = [made(number, body=b"an answer") for number in range(3)]
    assert recording.write(source(tmp_path, *records), target, NOTES, HIDDEN, same) == 3
    assert [one.body for one in kept(target)] == [b"an answer"] * 3
    with target.open("rb") as file:
        assert json.loads(read_notes(file)) == NOTES


def test_the_same_answers_make_the_same_file(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.tar", "b.tar")]
    records = [made(number, body=b"one") for number in range(2)]
    for file in files:
        recording.write(source(tmp_path, *records), file, NOTES, HIDDEN, same)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_secrets_go_and_what_the_project_does_not_want(tmp_path: Path) -> None:
    target = tmp_path / "test.tar"
    one = made(1, body=b"the-very-secret of alice", headers=(("content-type", "the-very-secret"),))
    recording.write(source(tmp_path, one), target, NOTES, HIDDEN, lambda data: data.replace(b"alice", b"bob"))
    [found] = kept(target)
    assert (found.body, found.headers) == (b"REDACTED of bob", (("content-type", "REDACTED"),))


LEAKS = [
    pytest.param({"body": b"\xff the-very-secret"}, NOTES, "an answer of ", id="in a binary answer"),
    pytest.param({"body": b"plain"}, {"variables": ["the-very-secret"]}, "its requests", id="in the notes"),
    pytest.param({"body": b"dGhlLXZlcnktc2VjcmV0"}, NOTES, "an answer of ", id="in base64"),
]


@pytest.mark.parametrize(("facts", "notes", "where"), LEAKS)
def test_a_secret_that_is_left_is_refused_by_name(
    facts: dict[str, bytes], notes: dict[str, object], where: str, tmp_path: Path
) -> None:
    target = tmp_path / "test.tar"
    target.write_bytes(b"the old one")
    with pytest.raises(recording.Leak) as refused:
        recording.write(source(tmp_path, made(1, **facts)), target, notes, HIDDEN, same)
    assert str(refused.value).startswith(where)
    assert "SOME_KEY" in str(refused.value)
    assert "the-very-secret" not in str(refused.value)
    assert target.read_bytes() == b"the old one"


def test_what_cannot_be_put_in_its_place_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "test.tar").mkdir()
    with pytest.raises(OSError):
        recording.write(source(tmp_path), tmp_path / "test.tar", NOTES, HIDDEN, same)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source.tar", "test.tar"]
