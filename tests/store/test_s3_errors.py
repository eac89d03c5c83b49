"""What boto3 really raises is in test_s3_faults.py; here, what becomes of each answer."""

import socket
import ssl

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from urllib3.exceptions import ProtocolError

from mitmcache.store.location import Location
from mitmcache.store.s3_errors import WORDS, BucketError, Kind, explain
from mitmcache.store.s3_limits import TooMuch

LOCATION = Location("bkt", "p")
URL = "http://h/bkt?X-Amz-Signature=hidden"


def answered(status: int, code: str) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "AKIAHIDDEN"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "GetObject",
    )


ANSWERS = [
    (401, "Unauthorized", Kind.DENIED),
    (403, "AccessDenied", Kind.DENIED),
    (403, "InvalidAccessKeyId", Kind.DENIED),
    (403, "RequestTimeTooSkewed", Kind.DENIED),
    (403, "403", Kind.DENIED),
    (400, "ExpiredToken", Kind.DENIED),
    (400, "AuthorizationHeaderMalformed", Kind.DENIED),
    (404, "NoSuchBucket", Kind.NO_BUCKET),
    (404, "404", Kind.GARBAGE),
    (404, "<html>", Kind.GARBAGE),
    (404, "NoSuchUpload", Kind.FAILED),
    (409, "ConditionalRequestConflict", Kind.CONFLICT),
    (412, "PreconditionFailed", Kind.CONFLICT),
    (412, "412", Kind.CONFLICT),
    (429, "TooManyRequests", Kind.THROTTLED),
    (429, "429", Kind.THROTTLED),
    (503, "SlowDown", Kind.THROTTLED),
    (503, "ServiceUnavailable", Kind.FAILED),
    (500, "InternalError", Kind.FAILED),
    (502, "502", Kind.FAILED),
    (501, "NotImplemented", Kind.FAILED),
    (400, "InvalidArgument", Kind.FAILED),
    (301, "PermanentRedirect", Kind.GARBAGE),
]


@pytest.mark.parametrize(("status", "code", "kind"), ANSWERS)
def test_an_error_answer_is_of_a_kind(status: int, code: str, kind: Kind) -> None:
    error = explain(LOCATION, answered(status, code))
    assert (error.kind, error.status) == (kind, status)


RAISED = [
    (NoCredentialsError(), Kind.NO_CREDENTIALS),
    (PartialCredentialsError(provider="env", cred_var="x"), Kind.NO_CREDENTIALS),
    (CredentialRetrievalError(provider="x", error_msg="hidden"), Kind.NO_CREDENTIALS),
    (
        EndpointConnectionError(endpoint_url=URL, error=socket.gaierror(-2, "Name not known")),
        Kind.UNREACHABLE,
    ),
    (
        EndpointConnectionError(endpoint_url=URL, error=ConnectionRefusedError(111, "Refused")),
        Kind.UNREACHABLE,
    ),
    (SSLError(endpoint_url=URL, error=ssl.SSLError("hidden")), Kind.UNREACHABLE),
    (ConnectTimeoutError(endpoint_url=URL, error="x"), Kind.TIMEOUT),
    (ReadTimeoutError(endpoint_url=URL, error="x"), Kind.TIMEOUT),
    (
        ConnectionClosedError(endpoint_url=URL, error=ProtocolError("Aborted", TimeoutError("x"))),
        Kind.TIMEOUT,
    ),
    (
        ConnectionClosedError(endpoint_url=URL, error=ProtocolError("Aborted", BrokenPipeError(32, "Pipe"))),
        Kind.UNREACHABLE,
    ),
    (ConnectionClosedError(endpoint_url=URL), Kind.UNREACHABLE),
    (HTTPClientError(error="x"), Kind.UNREACHABLE),
    (IncompleteReadError(actual_bytes=1, expected_bytes=2), Kind.GARBAGE),
    (ResponseStreamingError(error="x"), Kind.GARBAGE),
    (ResponseParserError(f"hidden {URL}"), Kind.GARBAGE),
    (KeyError("ContentLength"), Kind.GARBAGE),
    (HTTPClientError(error=TooMuch()), Kind.GARBAGE),
    (BotoCoreError(), Kind.FAILED),
    (RuntimeError("hidden"), Kind.FAILED),
]


@pytest.mark.parametrize(("raised", "kind"), RAISED, ids=[type(case[0]).__name__ for case in RAISED])
def test_whatever_is_raised_is_of_a_kind(raised: Exception, kind: Kind) -> None:
    assert explain(LOCATION, raised).kind is kind


@pytest.mark.parametrize("raised", [case[0] for case in RAISED] + [answered(*case[:2]) for case in ANSWERS])
def test_the_message_is_one_line_with_the_bucket_and_nothing_that_is_secret(raised: Exception) -> None:
    text = str(explain(LOCATION, raised))
    assert text.startswith("the bucket s3://bkt/p: ")
    assert "\n" not in text
    assert not [secret for secret in ("hidden", "HIDDEN", "X-Amz", "http://h") if secret in text]


def test_a_bucket_error_stays_what_it_is() -> None:
    error = BucketError(LOCATION, Kind.CONFLICT)
    assert explain(LOCATION, error) is error


def test_a_wrong_clock_is_named() -> None:
    assert "clock of this machine" in str(explain(LOCATION, answered(403, "RequestTimeTooSkewed")))


def test_every_kind_has_its_words() -> None:
    assert WORDS.keys() == set(Kind)


def test_causes_that_go_in_a_circle_are_looked_at_once() -> None:
    one, two = ConnectionError("x"), ValueError("y")
    one.__cause__, two.__cause__ = two, one
    assert explain(LOCATION, one).kind is Kind.UNREACHABLE
