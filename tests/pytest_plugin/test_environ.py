"""What a test's environment says."""

from dataclasses import replace
from pathlib import Path

import pytest

from made import CALL
from mitmcache.cache import scope
from mitmcache.pytest_plugin import environ

PROXY, BUNDLE = "http://127.0.0.1:1234", Path("/x/ca-bundle.pem")


def test_everything_points_to_the_proxy_and_trusts_it() -> None:
    told = environ.variables({}, PROXY, BUNDLE)
    assert {told[name] for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")} == {PROXY}
    assert {told[name] for name in environ.TRUST} == {str(BUNDLE)}
    assert told["NODE_USE_ENV_PROXY"] == "1"


EXCEPTIONS = [
    ({}, None),
    ({"NO_PROXY": "intranet.example"}, None),
    ({"NO_PROXY": "*"}, ""),
    ({"NO_PROXY": "a.example, *,b.example"}, "a.example,b.example"),
    ({"NO_PROXY": "*.a.example,*"}, "*.a.example"),
]


@pytest.mark.parametrize(("given", "expected"), EXCEPTIONS)
def test_no_proxy_keeps_its_hosts_but_never_all(given: dict[str, str], expected: str | None) -> None:
    assert environ.variables(given, PROXY, BUNDLE).get("NO_PROXY") == expected


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
