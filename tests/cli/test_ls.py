"""`mitmcache ls`: which answers are listed, in what order, and in what state."""

import json
import time

import pytest

from cli.console import KEYS, Console, made, shared
from mitmcache.selection import Selection
from s3.server import S3Server


def keys(listing: str) -> list[str]:
    return [json.loads(line)["key"] for line in listing.splitlines()]


def test_the_newest_come_first_and_the_rest_is_counted(console: Console) -> None:
    now = time.time()
    console.fill(*(made(n, created=now - age) for n, age in enumerate((310, 65, 190))))
    assert keys(console.ok("ls", "--json")) == [KEYS[1], KEYS[2], KEYS[0]]
    lines = console.ok("ls", "--limit", "2").splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [[KEYS[1][:12], "1m"], [KEYS[2][:12], "3m"]]
    assert lines[3] == "2 of 3 entries; --limit shows more"


def test_nothing_is_said_to_be_nothing(console: Console) -> None:
    assert console.ok("ls") == "nothing\n"
    assert console.ok("ls", "--json") == ""


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (["--model", "gpt-*"], [0, 1]),
        (["--model", "gpt-*", "--provider", "made"], [0]),
        (["--tag", "nightly"], [1]),
        (["--host", "api.made.example"], [0, 1, 2]),
        (["--host", "other"], []),
        (["--older", "2h"], [2]),
        (["--older", "0"], [0, 1, 2]),
        (["--key", KEYS[2]], [2]),
    ],
)
def test_conditions_combine(console: Console, condition: list[str], expected: list[int]) -> None:
    console.fill(
        made(0, model="gpt-1"),
        made(1, model="gpt-2", provider="other", tags=("a", "nightly")),
        made(2, created=time.time() - 3 * 3600),
    )
    assert sorted(keys(console.ok("ls", "--json", *condition))) == [KEYS[n] for n in expected]


def test_what_is_no_hit_any_more_is_told(console: Console) -> None:
    console.fill(made(0), made(1, expires=time.time() - 1), made(2, model="gone"), made(3, expires=0.0))
    console.fill(made(4), destination="s3://other/bucket")
    console.purged(Selection(model="gone"))
    states = {each["key"]: each["state"] for each in map(json.loads, console.ok("ls", "--json").splitlines())}
    assert states == dict(zip(KEYS[:5], ["fresh", "expired", "purged", "fresh", "waiting"], strict=True))


def test_what_a_client_has_named_cannot_steer_the_terminal(console: Console) -> None:
    console.fill(made(0, model="m\x1b[31m\n", tags=("\x07",)))
    assert not set("\x1b\x07") & set(console.ok("ls"))
    assert len(console.ok("ls").splitlines()) == 2


@pytest.mark.parametrize("arguments", [["--key", "abc"], ["--older", "soon"], ["--limit", "0"], ["more"]])
def test_a_wrong_word_is_a_wrong_usage(console: Console, arguments: list[str]) -> None:
    console.fails("ls", *arguments, code=2)


@pytest.mark.parametrize("secret", ["", "a secret that is long enough"])
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ([], [0, 1, 2]),
        (["--model", "gpt-*"], [0, 1]),
        (["--provider", "other"], [1]),
        (["--tag", "nightly"], [1]),
        (["--older", "2h"], [2]),
        (["--key", KEYS[2]], [2]),
    ],
)
def test_the_bucket_is_listed_by_the_same_conditions(
    team: Console, s3_server: S3Server, secret: str, condition: list[str], expected: list[int]
) -> None:
    assert team.objects
    console = shared(team.folder, s3_server, team.objects.location.bucket, secret=secret)
    console.upload(
        made(0, model="gpt-1"),
        made(1, model="gpt-2", provider="other", tags=("a", "nightly")),
        made(2, created=time.time() - 3 * 3600),
    )
    assert console.objects
    console.objects.put("v1/entries/made/m-1/stray", b"not ours", deadline=30)
    names = [
        json.loads(line)["name"] for line in console.ok("ls", "--bucket", "--json", *condition).splitlines()
    ]
    if secret:
        assert len(names) == len(expected) and all(name.startswith("v1/sealed/") for name in names)
    else:
        assert sorted(name.rpartition("/")[2] for name in names) == [KEYS[n] for n in expected]


def test_a_listing_of_the_bucket_that_goes_on_says_so(team: Console) -> None:
    team.upload(made(0), made(1))
    assert team.ok("ls", "--bucket", "--limit", "1").endswith("and more; --limit shows more\n")


def test_without_a_bucket_there_is_none_to_list(console: Console) -> None:
    assert "llm_store" in console.fails("ls", "--bucket")
