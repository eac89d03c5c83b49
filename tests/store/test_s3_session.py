"""What the shell of a user may hold. The form of the requests is in test_s3_wire.py."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.certs import Certificates
from mitmcache.store.location import parse
from mitmcache.store.s3 import Objects
from mitmcache.store.s3_errors import BucketError, Kind
from s3.faults import FaultProxy
from s3.server import ACCESS_KEY, SECRET_KEY, S3Server, environ

DEAD = "http://127.0.0.1:9"
PROXIES = dict.fromkeys(
    ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), DEAD
)


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of whoever runs the tests."""
    for name in os.environ:
        if name.startswith("AWS_") or name in PROXIES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", DEAD)


def objects_in(place: str, variables: dict[str, str]) -> Objects:
    return Objects(parse(place, variables), variables)


def without_keys(server: S3Server) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL_S3": server.endpoint}


def failure(work: Callable[[], object]) -> BucketError:
    with pytest.raises(BucketError) as caught:
        work()
    return caught.value


POISON: dict[str, dict[str, str]] = {
    "proxies": PROXIES,
    "an unknown profile": {"AWS_PROFILE": "nobody", "AWS_DEFAULT_PROFILE": "nobody"},
    "CA bundles": dict.fromkeys(("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), "/no/such.pem"),
    "other retries": {"AWS_RETRY_MODE": "adaptive", "AWS_MAX_ATTEMPTS": "50"},
    "checksums": {
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_supported",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_supported",
    },
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_what_the_shell_holds_for_others_does_no_harm(
    place: str,
    faults: FaultProxy,
    loopback_certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    s3_server: S3Server,
    poison: dict[str, str],
) -> None:
    for name, value in poison.items():
        monkeypatch.setenv(name, value)
    with FaultProxy(s3_server.port, loopback_certificates.leaf) as tls:
        ours = {"MITMCACHE_S3_CA_BUNDLE": str(loopback_certificates.ca)}
        objects = objects_in(place, {**poison, **environ(tls.endpoint), **ours})
        etag = objects.put("v1/x", b"hello", deadline=60)
        assert objects.get("v1/x", deadline=60).etag == etag  # type: ignore[union-attr]
        assert not [name for request in tls.requests for name in request.headers if "checksum" in name]
        objects.close()


def test_our_own_bundle_is_the_only_one_that_is_trusted(
    place: str, s3_server: S3Server, loopback_certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(loopback_certificates.ca))
    monkeypatch.setenv("SSL_CERT_FILE", str(loopback_certificates.ca))
    with FaultProxy(s3_server.port, loopback_certificates.leaf) as tls:
        error = failure(objects_in(place, environ(tls.endpoint)).check)
        assert (error.kind, "TLS" in str(error)) == (Kind.UNREACHABLE, True)
        wrong = environ(tls.endpoint, MITMCACHE_S3_CA_BUNDLE="/no/such.pem")
        assert "MITMCACHE_S3_CA_BUNDLE" in str(failure(objects_in(place, wrong).check))


def test_without_credentials_it_says_so_at_once_and_names_what_to_set(
    place: str, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in PROXIES.items():
        monkeypatch.setenv(name, value)
    error = failure(objects_in(place, without_keys(s3_server)).check)
    assert error.kind is Kind.NO_CREDENTIALS
    assert "AWS_ACCESS_KEY_ID" in str(error)


def test_a_metadata_service_that_never_answers_is_given_up_and_not_asked_through_a_proxy(
    place: str, s3_server: S3Server, faults: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", faults.endpoint)
    monkeypatch.setenv("http_proxy", faults.endpoint)
    assert failure(objects_in(place, without_keys(s3_server)).check).kind is Kind.NO_CREDENTIALS
    assert faults.requests == []


def test_an_unknown_profile_is_named_when_there_are_no_credentials(place: str, s3_server: S3Server) -> None:
    variables = {**without_keys(s3_server), "AWS_PROFILE": "nobody"}
    error = failure(objects_in(place, variables).check)
    assert (error.kind, "profile" in str(error)) == (Kind.NO_CREDENTIALS, True)


def test_half_of_the_credentials_are_none(
    place: str, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    variables = {**without_keys(s3_server), "AWS_ACCESS_KEY_ID": ACCESS_KEY}
    assert failure(objects_in(place, variables).check).kind is Kind.NO_CREDENTIALS


def test_a_secret_without_its_key_id_does_not_hide_the_credentials_file(
    place: str, s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credentials").write_text(section("default"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    objects_in(place, {**without_keys(s3_server), "AWS_SECRET_ACCESS_KEY": "wrong"}).check()


def section(name: str, key: str = ACCESS_KEY, secret: str = SECRET_KEY) -> str:
    return f"[{name}]\naws_access_key_id={key}\naws_secret_access_key={secret}\n"


def test_the_credentials_file_and_its_profiles_work(place: str, s3_server: S3Server, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(section("default", "wrong") + section("team"))
    variables = without_keys(s3_server)
    assert failure(objects_in(place, variables).check).kind is Kind.DENIED
    objects_in(place, {**variables, "AWS_PROFILE": "team"}).check()


def test_the_variables_win_over_a_profile(place: str, s3_server: S3Server, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(section("team", "wrong"))
    objects_in(place, {**s3_server.environ, "AWS_PROFILE": "team"}).check()


def test_a_credential_process_works(place: str, s3_server: S3Server, tmp_path: Path) -> None:
    keys = {"Version": 1, "AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY}
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    (tmp_path / "config").write_text(f"[default]\ncredential_process = cat {tmp_path / 'keys.json'}\n")
    objects_in(place, without_keys(s3_server)).check()


def test_a_configuration_file_that_cannot_be_read_is_named(
    place: str, s3_server: S3Server, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("no section\n")
    error = failure(objects_in(place, without_keys(s3_server)).check)
    assert (error.kind, "configuration" in str(error)) == (Kind.NO_CREDENTIALS, True)


def test_credentials_that_come_later_are_found(place: str, s3_server: S3Server, tmp_path: Path) -> None:
    objects = objects_in(place, without_keys(s3_server))
    assert failure(objects.check).kind is Kind.NO_CREDENTIALS
    (tmp_path / "credentials").write_text(section("default"))
    objects.check()


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"AWS_ACCESS_KEY_ID": "AKHIDDEN"}, "InvalidAccessKeyId"),
        ({"AWS_SECRET_ACCESS_KEY": "hidden"}, "SignatureDoesNotMatch"),
    ],
)
def test_wrong_credentials_are_refused_with_the_servers_code(
    place: str, s3_server: S3Server, wrong: dict[str, str], code: str
) -> None:
    error = failure(objects_in(place, {**s3_server.environ, **wrong}).check)
    assert error.kind is Kind.DENIED
    assert str(error).endswith(f"the credentials were refused ({code})")


def test_the_libraries_do_not_write_what_they_sign(
    place: str, s3_server: S3Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    objects_in(place, s3_server.environ).check()
    assert not [record for record in caplog.records if record.thread == threading.get_ident()]


def test_boto3_is_not_imported_with_our_modules() -> None:
    modules = "mitmcache.store.r2, mitmcache.store.s3, mitmcache.store.location"
    code = f"import sys, {modules}; print([m for m in ('boto3', 'botocore', 'urllib3') if m in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "addon")},
    )
    assert ran.stdout.strip() == "[]"
