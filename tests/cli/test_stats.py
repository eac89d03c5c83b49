"""`mitmcache stats`: how much, of what, what waits, and how the bucket is."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from cli.console import SECRET, Console, made, shared
from mitmcache.selection import Selection
from s3.faults import Fault, FaultProxy
from s3.server import S3Server


def stats(console: Console, *words: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(console.ok("stats", "--json", *words))
    return document


def test_entries_are_counted_by_provider_and_model_the_largest_first(console: Console) -> None:
    console.fill(
        made(0, model="a"), made(1, model="b"), made(2, model="b"), made(3, model="b", provider="other")
    )
    document = stats(console)
    sizes = {key: row.size for key, row in console.rows().items()}
    assert (document["entries"], document["bytes"]) == (4, sum(sizes.values()))
    first, *rest = [(each["provider"], each["model"], each["entries"]) for each in document["models"]]
    assert first == ("made", "b", 2)
    assert sorted(rest) == [("made", "a", 1), ("other", "b", 1)]


def test_it_tells_the_age_what_is_no_hit_and_which_purges_are_in_force(console: Console) -> None:
    now = time.time()
    console.fill(
        made(0, created=now - 100),
        made(1, created=now - 50, expires=now - 1),
        made(2, created=now, model="gone", expires=now - 1),
    )
    console.purged(Selection(model="gone"))
    document = stats(console)
    assert (document["expired"], document["purged"]) == (1, 1)
    assert (document["oldest"], document["newest"]) == (now - 100, now)
    assert [purge["select"] for purge in document["purges"]] == [{"model": "gone"}]


def test_what_waits_is_told_for_each_bucket(console: Console) -> None:
    console.fill(made(0), made(1), destination="s3://one/x")
    console.fill(made(2), destination="r2://a/two")
    console.fill(made(3))
    waiting = {each["bucket"]: each["entries"] for each in stats(console)["waiting"]}
    assert waiting == {"s3://one/x": 2, "r2://a/two": 1}
    assert "waiting for s3://one/x: 2 entries, " in console.ok("stats")


def test_for_people_it_is_a_table_of_the_top(console: Console) -> None:
    console.fill(made(0, model="a"), made(1, model="b"), made(2, model="b"))
    said = console.ok("stats", "--top", "1").splitlines()
    assert said[0].startswith(f"{console.data}: 3 entries, ")
    assert said[1] == "the newest 1h old, the oldest 1h"
    assert said[3].split() == ["PROVIDER", "MODEL", "ENTRIES", "SIZE"]
    assert said[4].split()[:3] == ["made", "b", "2"]
    assert said[5] == "and 1 model more; see --top"


def test_of_nothing_there_is_nothing_to_tell(console: Console) -> None:
    assert console.ok("stats") == f"{console.data}: 0 entries, 0 B\n"
    assert stats(console)["bucket"] is None


@pytest.mark.parametrize("secret", ["", SECRET])
def test_the_bucket_is_counted_when_asked_for(
    s3_server: S3Server, bucket: str, tmp_path: Path, secret: str
) -> None:
    console = shared(tmp_path, s3_server, bucket, secret=secret)
    console.upload(made(0), made(1))
    assert console.objects
    console.objects.put("v1/control/conditions", b"no record", deadline=30)
    found = stats(console)["bucket"]
    assert (found["error"], found["sealed"], "entries" in found) == (None, bool(secret), False)
    found = stats(console, "--bucket")["bucket"]
    assert found["entries"] == 2 and found["bytes"] > 200
    assert console.ok("stats", "--bucket").splitlines()[-1].startswith("the bucket s3://")


def test_a_bucket_that_cannot_be_reached_is_told_and_the_rest_as_well(
    s3_server: S3Server, bucket: str, tmp_path: Path, faults: FaultProxy
) -> None:
    console = shared(tmp_path, s3_server, bucket, endpoint=faults.endpoint)
    console.fill(made(0))
    faults.behave(Fault.REFUSE)
    document = stats(console, "--bucket")
    assert document["entries"] == 1
    assert "cannot be reached" in document["bucket"]["error"]
    assert "cannot be reached" in console.ok("stats")


def test_wrong_credentials_are_told_and_not_shown(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    console = shared(tmp_path, s3_server, bucket)
    wrong = {**console.environ, "AWS_SECRET_ACCESS_KEY": "wrong-secret-key"}
    said = Console(tmp_path, wrong).ok("stats", "--bucket")
    assert "credentials were refused" in said
    assert not any(value in said for name, value in wrong.items() if "KEY" in name)
