"""The form of the requests as R2 would see them. Over TLS: boto3 has another one over plain HTTP."""

from collections.abc import Callable
from hashlib import sha256

import pytest

from e2e.certs import Certificates
from mitmcache.store.location import parse
from mitmcache.store.s3 import Objects
from s3.server import environ
from s3.wire import Capture, Captured


def captured(certificates: Certificates, work: Callable[[Objects], object]) -> list[Captured]:
    with Capture(certificates.leaf) as server:
        variables = environ(
            server.endpoint, MITMCACHE_S3_CA_BUNDLE=str(certificates.ca), AWS_SESSION_TOKEN="token"
        )
        objects = Objects(parse("s3://bucket", variables), variables)
        work(objects)
        objects.close()
        return server.captured


def test_a_put_over_tls_has_a_length_and_a_signed_digest_and_nothing_that_r2_refuses(
    loopback_certificates: Certificates,
) -> None:
    body = b"answer" * 10_000
    for work in (
        lambda objects: objects.put("v1/x", body, deadline=60),
        lambda objects: objects.put("v1/x", body, deadline=60, if_none_match=True),
        lambda objects: objects.put("v1/x", body, deadline=60, if_match='"0"'),
    ):
        [put] = captured(loopback_certificates, work)
        assert (put.method, put.path, put.body) == ("PUT", "/bucket/v1/x", body)
        assert put.headers["content-length"] == str(len(body))
        assert put.headers["x-amz-content-sha256"] == sha256(body).hexdigest()
        assert put.headers["content-type"] == "application/octet-stream"
        assert put.headers["x-amz-security-token"] == "token"
        refused = (
            "expect",
            "transfer-encoding",
            "content-encoding",
            "trailer",
            "x-amz-trailer",
            "content-md5",
        )
        assert not [name for name in put.headers if name in refused or "checksum" in name]


@pytest.mark.parametrize(
    "work",
    [lambda objects: objects.delete(["v1/x"]), lambda objects: objects.put_lifecycle([])],
    ids=["DeleteObjects", "PutBucketLifecycleConfiguration"],
)
def test_what_must_have_a_checksum_has_the_one_that_every_server_knows(
    loopback_certificates: Certificates, work: Callable[[Objects], object]
) -> None:
    [request] = captured(loopback_certificates, work)
    assert "content-md5" in request.headers
    assert not [
        name for name in request.headers if "checksum" in name or name in ("expect", "transfer-encoding")
    ]


def test_a_get_has_no_body_and_no_checksum_mode(loopback_certificates: Certificates) -> None:
    [get] = captured(loopback_certificates, lambda objects: objects.get("v1/x", deadline=60, etag='"0"'))
    assert get.headers["if-none-match"] == '"0"'
    assert not [name for name in get.headers if "checksum" in name or name in ("expect", "transfer-encoding")]
