"""A recording is written scrubbed, checked, and whole or not at all."""

import io
from pathlib import Path
from typing import Any

import pytest

from cli.console import made
from exchanges.openai import CHAT_STREAM
from mitmcache.bundle import notes
from mitmcache.bundle.file import BundleWriter, Member, read_bundle, read_notes
from mitmcache.bundle.notes import Notes
from mitmcache.cache import record
from mitmcache.cache.record import Record
from mitmcache.pytest_plugin import recording
from mitmcache.pytest_plugin.recording import Written
from mitmcache.store.names import Names

HIDDEN = {"SOME_KEY": "the-very-secret"}
NOTES = Notes(["SOME_KEY"])


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
    assert recording.write(source(tmp_path, *records), target, NOTES, HIDDEN, same) == Written(3, [])
    assert [one.body for one in kept(target)] == [b"an answer"] * 3
    with target.open("rb") as file:
        assert notes.parse(read_notes(file)) == NOTES


def test_the_same_answers_make_the_same_file_whenever_they_were_given(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.tar", "b.tar")]
    for day, file in enumerate(files):
        made_then = {"created": 86400.0 * day, "expires": 0.0 if day else 9e9, "generation": day}
        records = [made(number, body=b"one", **made_then) for number in range(2)]
        recording.write(source(tmp_path, *records), file, NOTES, HIDDEN, same)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_secrets_go_and_what_the_project_does_not_want(tmp_path: Path) -> None:
    target = tmp_path / "test.tar"
    one = made(1, body=b"the-very-secret of alice", headers=(("content-type", "the-very-secret"),))
    written = recording.write(
        source(tmp_path, one), target, NOTES, HIDDEN, lambda data: data.replace(b"alice", b"bob")
    )
    assert written == Written(1, ["SOME_KEY"])
    [found] = kept(target)
    assert (found.body, found.headers) == (b"REDACTED of bob", (("content-type", "REDACTED"),))


STREAMED = {
    "dialect": CHAT_STREAM.dialect,
    "headers": (("content-type", "text/event-stream"),),
    "body": b"".join(
        b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % piece
        for piece in (b"It is the-ve", b"ry-sec", b"ret!")
    ),
}
LEAKS = [
    pytest.param({"body": b"\xff the-very-secret"}, NOTES, "an answer of ", id="in a binary answer"),
    pytest.param({"body": b"plain"}, Notes(["the-very-secret"]), "its requests", id="in the notes"),
    pytest.param(STREAMED, NOTES, "an answer of ", id="in the pieces of a stream"),
    pytest.param({"body": b"dGhlLXZlcnktc2VjcmV0"}, NOTES, "an answer of ", id="in base64"),
]


@pytest.mark.parametrize(("facts", "notes", "where"), LEAKS)
def test_a_secret_that_is_left_is_refused_by_name(
    facts: dict[str, Any], notes: Notes, where: str, tmp_path: Path
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
