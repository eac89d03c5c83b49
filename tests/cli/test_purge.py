"""`mitmcache purge`: what becomes a miss, for whom, what is deleted, and what is said where it cannot be."""

import sys
import time
from pathlib import Path

import pytest

from cli.console import KEYS, PREFIX, SECRET, Console, made, shared
from mitmcache.cli import purge as command
from mitmcache.purge import control
from mitmcache.selection import EVERYTHING, About, Selection
from mitmcache.store.base import StoreError
from mitmcache.store.disk import DiskStore
from mitmcache.store.names import CONTROL
from s3.faults import Fault, FaultProxy, Request
from s3.server import S3Server

OLD = Selection(model="old*")


def fill(console: Console) -> None:
    console.fill(made(0, model="old-1"), made(1, model="old-2"), made(2, model="new"))


def test_what_matches_is_counted_and_then_gone(console: Console) -> None:
    fill(console)
    said = console.ok("purge", "--model", "old*", "--yes").splitlines()
    assert said[0].startswith("local disk: 2 entries, ")
    assert sorted(said[1:3]) == ["  1 made old-1", "  1 made old-2"]
    assert said[3:] == ["purged: misses from now on", "local disk: 2 entries deleted"]
    assert list(console.rows()) == [KEYS[2]]


def test_an_answer_that_was_under_way_is_a_miss_too(console: Console) -> None:
    before = int(time.time() * 1000)
    console.ok("purge", "--model", "old*", "--yes")
    purges = console.purges()
    assert not purges.valid(KEYS[0], About(model="old-1", generation=before - 1))
    assert purges.valid(KEYS[0], About(model="new", generation=0))
    assert purges.valid(KEYS[0], About(model="old-1", generation=purges.latest))


def test_conditions_combine(console: Console) -> None:
    hour = time.time() - 3600
    console.fill(
        made(0, created=hour, tags=("a",)), made(1, created=hour), made(2, created=time.time(), tags=("a",))
    )
    console.ok("purge", "--tag", "a", "--older", "30m", "--yes")
    assert list(console.rows()) == [KEYS[1], KEYS[2]]


def test_answers_that_know_of_the_purge_stay(console: Console) -> None:
    fill(console)
    console.fill(made(3, model="old-1", generation=int(time.time() * 1000) + 10**6))
    console.ok("purge", "--model", "old*", "--yes")
    assert list(console.rows()) == [KEYS[2], KEYS[3]]


def test_where_the_disk_fails_nothing_is_claimed(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    console.ok("purge", "--all", "--yes")
    fill(console)

    async def remember(disk: DiskStore, name: str, value: bytes) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(DiskStore, "remember", remember)
    assert "nothing was purged for sure: the disk is full" in console.fails("purge", "--all", "--yes")
    assert len(console.rows()) == 3


def test_a_dry_run_changes_nothing(team: Console) -> None:
    fill(team)
    team.upload(made(0, model="old-1"))
    said = team.ok("purge", "--model", "old*", "--dry-run")
    assert "local disk: 2 entries" in said
    assert f"/{PREFIX} at " in said and said.endswith(": 1 entry\n")
    assert (len(team.rows()), len(team.listed()), team.purges().latest) == (3, 1, 0)


@pytest.mark.parametrize("arguments", [[], ["--all", "--model", "x"], ["--yes"], ["--dry-run"]])
def test_what_to_purge_must_be_said(console: Console, arguments: list[str]) -> None:
    fill(console)
    assert "--all" in console.fails("purge", *arguments, code=2)
    assert len(console.rows()) == 3


def test_a_script_must_say_yes(console: Console) -> None:
    fill(console)
    assert "--yes" in console.fails("purge", "--all", code=2)
    assert len(console.rows()) == 3


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("n\n", 3), ("", 3)])
def test_somebody_at_a_terminal_is_asked(
    console: Console, monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    fill(console)
    monkeypatch.setattr(command, "_attended", lambda: True)
    assert console.run("purge", "--all", stdin=answer.encode()).exit_code == (1 if left else 0)
    assert len(console.rows()) == left


def test_a_condition_longer_than_any_name_is_a_wrong_usage(console: Console) -> None:
    fill(console)
    assert "model" in console.fails("purge", "--model", "m" * 1000, "--yes", code=2)
    assert console.purges().latest == 0


@pytest.mark.parametrize("secret", ["", SECRET])
def test_the_bucket_is_told_and_swept(s3_server: S3Server, bucket: str, tmp_path: Path, secret: str) -> None:
    console = shared(tmp_path, s3_server, bucket, secret=secret)
    fill(console)
    console.upload(
        made(0, model="old-1"), made(1, model="old-2"), made(2, model="new"), made(3, model="old-3")
    )
    said = console.ok("purge", "--model", "old*", "--yes")
    assert "for all who share the bucket" in said
    assert said.endswith(": 3 entries deleted\n")
    assert list(console.rows()) == [KEYS[2]]
    assert console.objects
    assert len(console.listed("v1/entries/") + console.listed("v1/sealed/")) == 1
    found = control.read(console.objects, console.seal)
    assert found and found.generations.number(OLD) == console.purges().number(OLD) > 0


def test_all_leaves_the_memory_of_the_purge(team: Console) -> None:
    fill(team)
    team.upload(made(0), made(1))
    team.ok("purge", "--all", "--yes")
    assert team.rows() == {}
    assert CONTROL in team.listed() and not team.listed("v1/entries/")
    assert team.purges().number(EVERYTHING) > 0


def test_answers_of_after_the_purge_stay_in_the_bucket(team: Console) -> None:
    team.ok("purge", "--all", "--yes")
    team.upload(made(0), made(1, generation=team.purges().latest + 10**9))
    said = team.ok("purge", "--all", "--yes")
    assert said.endswith(": 1 entry deleted\n")
    assert [name[-64:] for name in team.listed("v1/entries/")] == [KEYS[1]]


def test_where_the_bucket_cannot_be_reached_it_says_what_was_purged(
    tmp_path: Path, s3_server: S3Server, bucket: str, faults: FaultProxy
) -> None:
    console = shared(tmp_path, s3_server, bucket, endpoint=faults.endpoint)
    fill(console)
    faults.behave(Fault.REFUSE)
    why = console.fails("purge", "--model", "old*", "--yes")
    assert "purged on this machine alone" in why and "cannot be reached" in why
    assert list(console.rows()) == [KEYS[2]]
    assert console.purges().number(OLD) > 0


def test_the_bucket_is_told_by_the_next_purge_what_it_could_not_be(
    tmp_path: Path, s3_server: S3Server, bucket: str, faults: FaultProxy
) -> None:
    console = shared(tmp_path, s3_server, bucket, endpoint=faults.endpoint)
    faults.behave(Fault.REFUSE)
    console.fails("purge", "--model", "old*", "--yes")
    faults.behave()
    console.ok("purge", "--tag", "a", "--yes")
    assert console.objects
    found = control.read(console.objects, None)
    assert found and found.generations.purges.keys() == {OLD, Selection(tag="a")}


def test_a_server_that_ignores_conditions_cannot_share_purges(
    tmp_path: Path, s3_server: S3Server, bucket: str, faults: FaultProxy
) -> None:
    console = shared(tmp_path, s3_server, bucket, endpoint=faults.endpoint)
    fill(console)
    console.upload(made(0, model="old-1"))
    faults.behave(Fault.AGREE, applies=lambda request: request.method == "PUT")
    why = console.fails("purge", "--model", "old*", "--yes")
    assert "purged on this machine alone" in why and "conditions" in why
    assert len(console.listed("v1/entries/")) == 1


def test_a_sweep_that_fails_leaves_the_purge_in_force_and_says_so(
    tmp_path: Path, s3_server: S3Server, bucket: str, faults: FaultProxy
) -> None:
    console = shared(tmp_path, s3_server, bucket, endpoint=faults.endpoint)
    console.upload(made(0, model="old-1"))
    faults.behave(Fault.STATUS, status=403, code="AccessDenied", applies=_deletes)
    why = console.fails("purge", "--model", "old*", "--yes")
    assert "all of it is purged" in why and "the same purge again" in why
    faults.behave()
    assert console.ok("purge", "--model", "old*", "--yes").endswith(": 1 entry deleted\n")


def _deletes(request: Request) -> bool:
    return "?delete" in request.path or request.method == "DELETE"


def test_a_secret_that_is_not_the_bucket_s_is_named(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    shared(tmp_path, s3_server, bucket, secret=SECRET).ok("purge", "--tag", "x", "--yes")
    open_to_all = shared(tmp_path, s3_server, bucket)
    why = open_to_all.fails("purge", "--tag", "y", "--yes")
    assert "llm_secret" in why and SECRET not in why


def test_the_bar_is_for_terminals_alone(console: Console) -> None:
    fill(console)
    assert console.run("purge", "--all", "--yes").stderr == ""


def test_on_a_terminal_a_bar_shows_how_far_it_is(
    console: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with command._bar("local disk", 2) as progress:
        progress(1)
        progress(1)
    assert "100%" in capsys.readouterr().err
