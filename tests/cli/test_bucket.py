"""`mitmcache bucket init`: what is checked, which rules are set, and what is said when they cannot be."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from cli.console import PREFIX, Console, shared
from mitmcache.cli.bucket import rules
from mitmcache.store.location import Location
from s3.faults import Fault, FaultProxy, Request
from s3.server import S3Server

OTHER: dict[str, Any] = {
    "ID": "logs",
    "Status": "Enabled",
    "Filter": {"Prefix": "logs/"},
    "Expiration": {"Days": 3},
}


def there(console: Console) -> dict[str, Any]:
    """The bucket's rules: days by prefix."""
    assert console.objects
    return {
        rule["Filter"]["Prefix"]: rule.get("Expiration", {}).get("Days")
        for rule in console.objects.get_lifecycle()
    }


def ours(days: int) -> dict[str, int]:
    return {f"{PREFIX}/v1/entries/": days, f"{PREFIX}/v1/sealed/": days}


@pytest.mark.parametrize(
    ("options", "days"),
    [
        ([], 1 + 7),
        (["--set", "llm_ttl=36h"], 2 + 7),
        (["--days", "30"], 30),
        (["--set", "llm_ttl=0", "--days", "3"], 3),
    ],
)
def test_the_rules_collect_what_has_long_expired(team: Console, options: list[str], days: int) -> None:
    assert f"what was uploaded {days} days ago is deleted" in team.ok("bucket", "init", *options)
    assert there(team) == ours(days)


def test_a_policy_s_longer_time_counts(team: Console) -> None:
    policy = team.folder / "policy.yaml"
    policy.write_text("rules:\n  - match: {model: a}\n    ttl: 30d\n  - match: {model: b}\n    skip: true\n")
    team.ok("bucket", "init", "--set", f"llm_policy={policy}")
    assert there(team) == ours(37)


def test_twice_is_as_good_as_once_and_other_rules_stay(team: Console) -> None:
    assert team.objects
    team.objects.put_lifecycle([OTHER])
    for _ in range(2):
        team.ok("bucket", "init")
    team.ok("bucket", "init", "--days", "30")
    assert there(team) == {"logs/": 3, **ours(30)}


def test_another_prefix_of_the_bucket_keeps_its_rules(team: Console) -> None:
    assert team.objects
    team.ok("bucket", "init", "--days", "30")
    team.ok("bucket", "init", "--set", f"llm_store=s3://{team.objects.location.bucket}/b", "--days", "3")
    assert there(team) == {"b/v1/entries/": 3, "b/v1/sealed/": 3, **ours(30)}


def test_what_never_expires_is_not_deleted(team: Console) -> None:
    team.ok("bucket", "init", "--days", "3")
    assert "llm_ttl=0" in team.ok("bucket", "init", "--set", "llm_ttl=0")
    assert set(there(team).values()) <= {None}


def test_uploads_that_were_given_up_are_collected_and_purges_are_not() -> None:
    made = rules(Location("b", "p"), 8)
    assert [rule["AbortIncompleteMultipartUpload"] for rule in made] == [{"DaysAfterInitiation": 1}] * 2
    assert not any("p/v1/control/".startswith(rule["Filter"]["Prefix"]) for rule in made)
    assert [rule["ID"] for rule in made] == ["mitmcache-p/v1/entries/", "mitmcache-p/v1/sealed/"]


def test_it_leaves_nothing_in_the_bucket_but_the_control_folder(team: Console) -> None:
    team.ok("bucket", "init")
    assert team.listed("") == ["v1/control/conditions"]


def test_a_bucket_is_made_when_asked_for(tmp_path: Path, s3_server: S3Server) -> None:
    console = shared(tmp_path, s3_server, f"new-{uuid.uuid4().hex}")
    assert "--create" in console.fails("bucket", "init")
    assert ": created\n" in console.ok("bucket", "init", "--create")
    assert ": is there already\n" in console.ok("bucket", "init", "--create")


@pytest.fixture
def faulty(tmp_path: Path, s3_server: S3Server, bucket: str, faults: FaultProxy) -> Console:
    return shared(tmp_path, s3_server, bucket, endpoint=faults.endpoint)


def lifecycle(request: Request) -> bool:
    return "?lifecycle" in request.path


@pytest.mark.parametrize(
    ("status", "code", "admin"), [(403, "AccessDenied", True), (501, "NotImplemented", False)]
)
def test_rules_that_cannot_be_set_are_shown(
    faulty: Console, faults: FaultProxy, status: int, code: str, admin: bool
) -> None:
    faults.behave(Fault.STATUS, status=status, code=code, applies=lifecycle)
    done = faulty.run("bucket", "init")
    assert done.exit_code == 1
    shown = json.loads(done.stdout[done.stdout.index("{\n") :])
    assert shown["Rules"] == rules(Location("b", PREFIX), 8)
    assert ("Admin" in done.stderr) is admin
    assert "lifecycle rules cannot be set" in done.stderr


def test_a_server_that_ignores_conditions_is_found_out(faulty: Console, faults: FaultProxy) -> None:
    faults.behave(Fault.AGREE, applies=lambda request: "conditions" in request.path)
    assert "ignores the conditions" in faulty.fails("bucket", "init")


def test_a_bucket_that_may_only_be_read_is_found_out(faulty: Console, faults: FaultProxy) -> None:
    faults.behave(
        Fault.STATUS, status=403, code="AccessDenied", applies=lambda request: request.method == "PUT"
    )
    assert "refused" in faulty.fails("bucket", "init")


def test_one_that_forgets_what_is_written_is_found_out(faulty: Console, faults: FaultProxy) -> None:
    faults.behave(Fault.AGREE, applies=lambda request: request.method == "PUT")
    assert "cannot be read again" in faulty.fails("bucket", "init")


def test_without_a_bucket_there_is_none_to_set_up(console: Console) -> None:
    assert "llm_store" in console.fails("bucket", "init")
