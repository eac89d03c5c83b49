"""`mitmcache show`: one answer, found by the beginning of its key, wherever it is."""

import json
import os
import sqlite3
import time
from pathlib import Path

import pytest

from cli.console import KEYS, SECRET, Console, made, shared
from mitmcache.cli.show import SHOWN
from mitmcache.store.base import LARGE
from s3.server import S3Server


def test_the_header_and_the_body_are_shown(console: Console) -> None:
    console.fill(made(0, tags=("a", "b"), body='{"text": "grüß"}\n\tend'.encode()))
    said = console.ok("show", KEYS[0][:6])
    assert said.startswith(
        f"key       {KEYS[0]}\nplace     the local disk\nprovider  made (made.chat) at api.made.example\n"
    )
    assert "tags      a, b\n" in said and "expires   " in said and "(in 59m)" in said and "(1h ago)" in said
    assert "  content-type: application/json\n" in said
    assert said.endswith('\n\n{"text": "grüß"}\n\tend\n')


def test_raw_is_the_body_s_bytes_and_nothing_else(console: Console) -> None:
    body = bytes(range(256)) * 10
    console.fill(made(0, body=body))
    assert console.run("show", "--raw", KEYS[0]).stdout_bytes == body


def test_a_program_gets_the_fields(console: Console) -> None:
    console.fill(made(0, tags=("a",)))
    fields = json.loads(console.ok("show", "--json", KEYS[0].upper()))
    assert (fields["key"], fields["model"], fields["tags"], fields["status"]) == (KEYS[0], "m-1", ["a"], 200)
    assert fields["headers"] == [["content-type", "application/json"]]


def test_a_body_that_is_no_text_is_summed_up(console: Console) -> None:
    console.fill(made(0, body=b"\x89PNG\r\n\xff" * 100))
    assert console.ok("show", KEYS[0]).splitlines()[-1] == (
        "700 B that are no text, beginning with 89 50 4e 47 0d 0a ff 89 50 4e 47 0d 0a ff 89 50; see --raw"
    )


def test_a_body_cannot_steer_the_terminal(console: Console) -> None:
    console.fill(made(0, body=b"one\x1b]0;x\x07two\n", headers=(("x-\x1b", "\x07"),)))
    assert not set("\x1b\x07") & set(console.ok("show", KEYS[0]))


@pytest.mark.parametrize("size", [SHOWN + 1, LARGE + 10])
def test_of_a_long_body_the_beginning_is_shown(console: Console, size: int) -> None:
    body = ("ü" * (size // 2 + 1)).encode()
    console.fill(made(0, body=body))
    said = console.ok("show", KEYS[0])
    assert said.splitlines()[-1].endswith("more; see --raw")
    assert len(said) < SHOWN
    assert console.run("show", "--raw", KEYS[0]).stdout_bytes == body


def test_a_large_record_is_read_piece_by_piece(console: Console) -> None:
    body = os.urandom(LARGE + 10)
    console.fill(made(0, body=body))
    assert console.run("show", "--raw", KEYS[0]).stdout_bytes == body


def test_the_beginning_of_several_keys_names_them(console: Console) -> None:
    keys = [KEYS[n] for n in range(3)]
    console.fill(*(made(n) for n in range(3)))
    assert [key[:2] for key in keys] == ["10", "11", "12"]
    why = console.fails("show", "1")
    assert all(key[:12] in why for key in keys)


@pytest.mark.parametrize(("key", "code"), [("f", 1), (KEYS[1], 1), ("", 2), ("xyz", 2), ("1" * 65, 2)])
def test_a_key_that_is_none_is_named(console: Console, key: str, code: int) -> None:
    console.fill(made(0))
    console.fails("show", key, code=code)


def test_an_answer_that_never_expires_says_so(console: Console) -> None:
    console.fill(made(0, expires=0.0), made(1, expires=time.time() - 7200))
    assert "expires   never" in console.ok("show", KEYS[0])
    assert "(2h ago)" in console.ok("show", KEYS[1])


@pytest.mark.parametrize("size", [100, LARGE + 10])
@pytest.mark.parametrize(("secret", "digits"), [("", 6), (SECRET, 64)])
def test_what_is_only_in_the_bucket_is_fetched(
    s3_server: S3Server, bucket: str, tmp_path: Path, secret: str, digits: int, size: int
) -> None:
    console = shared(tmp_path, s3_server, bucket, secret=secret)
    body = os.urandom(size)
    console.upload(made(0, body=body), made(1))
    assert console.run("show", "--raw", KEYS[0][:digits]).stdout_bytes == body
    assert "place     the bucket\n" in console.ok("show", KEYS[0][:digits])
    assert list((console.data / "tmp").iterdir()) == []
    console.fails("show", KEYS[2])


def test_with_another_secret_it_cannot_be_read(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    console = shared(tmp_path, s3_server, bucket, secret=SECRET)
    console.upload(made(0))
    name = console.listed("v1/sealed/")[0]
    assert console.objects
    data = console.objects.get(name, deadline=30)
    assert data is not None
    console.objects.put(name, b"LLMS" + bytes(100), deadline=30)
    assert "llm_secret" in console.fails("show", KEYS[0])


def test_a_damaged_record_is_said_to_be_one(console: Console) -> None:
    console.fill(made(0))
    with sqlite3.connect(console.data / "cache.sqlite3") as db:
        db.execute("UPDATE entries SET blob = CAST(substr(blob, 1, length(blob) - 1) || x'00' AS BLOB)")
    db.close()
    assert "damaged" in console.fails("show", "--raw", KEYS[0])


def test_a_row_with_the_record_of_another_key_is_damaged(console: Console) -> None:
    console.fill(made(0), made(1))
    with sqlite3.connect(console.data / "cache.sqlite3") as db:
        query = "UPDATE entries SET (size, blob) = (SELECT size, blob FROM entries WHERE key = ?)"
        db.execute(query, (KEYS[1],))
    db.close()
    assert "another key" in console.fails("show", KEYS[0])
