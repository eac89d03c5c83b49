"""What a test's environment says."""

from dataclasses import replace
from pathlib import Path

import pytest

from made import CALL
from mitmcache.cache import scope
from mitmcache.demo import certificate
from mitmcache.pytest_plugin import environ

PROXY = "http://127.0.0.1:1234"


def variables(given: dict[str, str], folder: Path) -> dict[str, str]:
    ca = folder / "ca.pem"
    certificate.make(ca, "api.openai.com")
    return environ.variables(given, PROXY, ca, "", folder)


def test_everything_points_to_the_proxy_and_trusts_it(tmp_path: Path) -> None:
    told = variables({}, tmp_path)
    assert {told[name] for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")} == {PROXY}
    assert Path(told["SSL_CERT_FILE"]).is_file()


HERE_ONLY = "localhost,127.0.0.1,::1"
EXCEPTIONS = [
    ({}, HERE_ONLY),
    ({"NO_PROXY": "intranet.example"}, f"intranet.example,{HERE_ONLY}"),
    ({"NO_PROXY": "*"}, HERE_ONLY),
    ({"no_proxy": "*"}, HERE_ONLY),
    ({"NO_PROXY": "a.example, *,b.example"}, f"a.example,b.example,{HERE_ONLY}"),
    ({"NO_PROXY": "*.a.example,*"}, f"*.a.example,{HERE_ONLY}"),
]


@pytest.mark.parametrize(("given", "expected"), EXCEPTIONS)
def test_no_proxy_keeps_its_hosts_but_never_all(given: dict[str, str], expected: str, tmp_path: Path) -> None:
    assert variables(given, tmp_path)["NO_PROXY"] == expected


def test_only_what_is_missing_has_a_stand_in() -> None:
    here = {"A_KEY": "mine", "B_KEY": ""}
    assert environ.stand_ins(here, ["A_KEY", "B_KEY", "C_KEY"]) == dict.fromkeys(
        ["B_KEY", "C_KEY"], environ.DUMMY
    )


HERE = {
    "OPENAI_API_KEY": "test-key-one",
    "OTHER_API_KEY": "test-key-two",
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "never-sent",
}
SENT = [
    ("authorization", "Bearer test-key-one", ["OPENAI_API_KEY"]),
    ("x-api-key", "test-key-two", ["OTHER_API_KEY"]),
    ("x-api-key", "test-key-three", []),
    (
        "authorization",
        "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu/bedrock/aws4_request, SignedHeaders=host, Signature=0",
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    ),
]


@pytest.mark.parametrize(("header", "value", "expected"), SENT)
def test_the_variables_of_a_calls_credentials_are_found(header: str, value: str, expected: list[str]) -> None:
    secrets = scope.caller(replace(CALL, headers=((header, value),))).secrets
    assert environ.used(HERE, secrets) == expected
