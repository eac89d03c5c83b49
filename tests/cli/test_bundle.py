"""`mitmcache export` and `import`: from one machine to another, and how little a bad bundle can do."""

import io
import os
import sqlite3
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from cli.console import KEYS, Console, local, made
from clones import ROOT
from mitmcache.cache import record
from mitmcache.selection import EVERYTHING, Selection
from mitmcache.store.base import LARGE

DAY = 86400


@pytest.fixture
def other(tmp_path: Path) -> Console:
    """Another machine."""
    (tmp_path / "other").mkdir()
    return local(tmp_path / "other")


def bundle(console: Console, *conditions: str) -> bytes:
    path = console.folder / "bundle.tar"
    console.ok("export", str(path), *conditions)
    return path.read_bytes()


def members(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        return archive.getnames()


def test_what_one_machine_has_another_takes_in(console: Console, other: Console) -> None:
    records = [made(0, tags=("a",)), made(1, body=b"\x00" * 100_000, expires=0.0), made(2, status=206)]
    console.fill(*records)
    assert other.ok("import", "-", stdin=bundle(console)) == "3 entries imported\n"
    assert [other.stored(each.key) for each in records] == records


def test_the_same_records_are_the_same_bytes_in_the_order_of_their_keys(
    console: Console, other: Console
) -> None:
    records = [made(n, model=f"m-{n % 2}") for n in range(4)]
    console.fill(*records)
    other.fill(*reversed(records))
    assert bundle(console) == bundle(other)
    assert [name[-64:] for name in members(bundle(console))[:-1]] == KEYS[:4]


def test_only_what_is_selected_and_not_purged_is_exported(console: Console) -> None:
    console.fill(made(0, model="a"), made(1, model="b"), made(2, model="a", tags=("gone",)))
    console.purged(Selection(tag="gone"))
    assert members(bundle(console, "--model", "a")) == [f"v1/entries/made/a/{KEYS[0]}", "manifest.json"]


def test_it_goes_through_a_pipe(console: Console, other: Console) -> None:
    console.fill(made(0))
    command = [sys.executable, "-m", "mitmcache"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "addon")}
    done = subprocess.run(
        [*command, "export", "-", "--confdir", str(console.folder)],
        env=environ,
        capture_output=True,
        timeout=100,
    )
    assert done.stderr.startswith(b"1 entry exported")
    assert other.ok("import", "-", stdin=done.stdout) == "1 entry imported\n"


def test_a_file_that_is_there_is_replaced_only_by_a_whole_one(console: Console) -> None:
    console.fill(made(0))
    before = bundle(console)
    console.disk(lambda disk: _damage(console.data))
    assert "1 entry left out" in console.run("export", str(console.folder / "bundle.tar")).stderr
    assert bundle(console) != before
    assert [path.name for path in console.folder.iterdir() if "part" in path.name] == []
    assert "No such file" in console.fails("export", str(console.folder / "nowhere" / "b.tar"))


async def _damage(folder: Path) -> None:
    with sqlite3.connect(folder / "cache.sqlite3") as db:
        db.execute("UPDATE entries SET blob = CAST(substr(blob, 1, length(blob) - 1) || x'00' AS BLOB)")
    db.close()


def test_what_is_there_is_kept_unless_it_is_no_hit_or_to_be_replaced(
    console: Console, other: Console
) -> None:
    console.fill(*(made(n, body=b"new") for n in range(3)))
    data = bundle(console)
    other.fill(made(0, body=b"old"), made(1, body=b"old", expires=1.0), made(2, body=b"old", model="gone"))
    other.purged(Selection(model="gone"))
    assert other.ok("import", "-", stdin=data) == "2 entries imported, 1 already there\n"
    assert [other.stored(key).body for key in KEYS[:3]] == [b"old", b"new", b"new"]
    assert other.ok("import", "-", "--replace", stdin=data) == "3 entries imported\n"
    assert other.stored(KEYS[0]).body == b"new"


def test_a_purge_of_before_does_not_hide_what_is_imported(console: Console, other: Console) -> None:
    console.fill(made(0))
    data = bundle(console)
    other.ok("purge", "--all", "--yes")
    other.ok("import", "-", stdin=data)
    assert other.purges().valid(KEYS[0], other.stored(KEYS[0]).about)
    other.ok("purge", "--all", "--yes")
    assert other.rows() == {}


def test_a_purge_that_only_the_bucket_knows_does_not_hide_it_either(console: Console, team: Console) -> None:
    console.fill(made(0))
    team.ok("purge", "--all", "--yes")
    n = team.purges().number(EVERYTHING)
    team.remember("generations", b'{"version": 1, "floor": 0, "purges": []}')
    team.ok("import", "-", stdin=bundle(console))
    assert team.rows()[KEYS[0]].about.generation >= n


def test_with_a_bucket_it_waits_for_its_upload(console: Console, team: Console) -> None:
    console.fill(made(0))
    said = team.ok("import", "-", stdin=bundle(console))
    assert team.objects
    assert team.rows()[KEYS[0]].dirty == str(team.objects.location)
    assert f"to be uploaded to {team.objects.location}" in said


@pytest.mark.parametrize(
    ("ttl", "low", "high"), [("30d", 30 * DAY - 60, 30 * DAY + 60), ("0", None, None), (None, -100, -10)]
)
def test_a_bundle_may_be_made_fresh_again(
    console: Console, other: Console, ttl: str | None, low: float | None, high: float | None
) -> None:
    console.fill(made(0, expires=time.time() - 50))
    said = other.ok("import", "-", *(["--ttl", ttl] if ttl else []), stdin=bundle(console))
    assert ("had expired" in said) is (ttl is None)
    expires = other.stored(KEYS[0]).expires
    assert other.rows()[KEYS[0]].expires == expires
    if low is None or high is None:
        assert expires == 0
    else:
        assert low < expires - time.time() < high


def test_a_large_record_is_streamed(console: Console, other: Console) -> None:
    large = made(0, body=os.urandom(LARGE + 100))
    console.fill(large, made(1))
    assert other.ok("import", "-", stdin=bundle(console)) == "2 entries imported\n"
    assert other.stored(KEYS[0]) == large
    assert list((other.data / "tmp").iterdir()) == []


def packed(*parts: tuple[str, bytes]) -> bytes:
    """Members by name, with the manifest that goes with them."""
    sizes = [len(data) for _, data in parts]
    end = f'{{"bundle": 1, "records": {len(parts)}, "bytes": {sum(sizes)}}}'.encode()
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in (*parts, ("manifest.json", end)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


GOOD = record.encode(made(1))
RAW = record.encode(made(0))
PACKED = record.encode(made(0, body=b"x" * 1000))
NAME = "v1/entries/made/m-1/"
BAD: list[tuple[str, bytes, str]] = [
    ("of another key", record.encode(made(2)), "another key"),
    ("changed in its head", RAW[:40] + b"!" + RAW[41:], "checksum"),
    ("changed in its body", RAW[:-1] + b"!", "digest"),
    ("changed in its packed body", PACKED[:-5] + b"!" + PACKED[-4:], "body"),
    ("cut short", RAW[:-1], "size"),
    ("cut short in its packed body", PACKED[:-1], "size"),
    ("longer than it was", RAW + b"!", "size"),
    ("longer than its packed body", PACKED + b"!", "decompressed"),
    ("of another version", RAW[:4] + b"\x63" + RAW[5:], "version 99"),
    ("nothing", b"", "too short"),
    ("something else", b"x" * 1000, "not a record"),
    ("large and cut short", record.encode(made(0, body=os.urandom(LARGE)))[:-1], "size"),
]


@pytest.mark.parametrize(("data", "reason"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_bad_record_is_refused_and_the_others_are_taken(console: Console, data: bytes, reason: str) -> None:
    console.fill(made(0, body=b"mine"))
    done = console.run(
        "import", "-", "--replace", stdin=packed((NAME + KEYS[0], data), (NAME + KEYS[1], GOOD))
    )
    assert done.exit_code == 1
    assert "1 entry imported, 1 refused" in done.stdout
    assert reason in done.stderr
    assert console.stored(KEYS[0]).body == b"mine"
    assert console.stored(KEYS[1]).body == made(1).body
    assert list((console.data / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (packed((NAME + KEYS[1], GOOD))[:700], "cut short"),
        (packed((NAME + KEYS[1], GOOD))[:1024], "its end is missing"),
        (b"no tar" * 200, "not a tar file"),
        (b"", "its end is missing"),
    ],
)
def test_a_damaged_bundle_loses_nothing_that_was_there(console: Console, data: bytes, words: str) -> None:
    console.fill(made(0), made(1, body=b"mine"))
    assert words in console.fails("import", "-", "--replace", stdin=data)
    assert list(console.rows()) == KEYS[:2]
    if words != "its end is missing" or not data:
        assert console.stored(KEYS[1]).body == b"mine"


def test_a_name_that_is_no_record_s_is_refused(console: Console) -> None:
    done = console.run("import", "-", stdin=packed(("../../etc/passwd", b"x")))
    assert done.exit_code == 1
    assert "1 entry refused, the first ../../etc/passwd: not a name of a record" in done.stderr


def test_a_file_that_is_not_there_is_named(console: Console) -> None:
    assert "nowhere.tar" in console.fails("import", "nowhere.tar")
    assert "directory" in console.fails("import", str(console.folder))
