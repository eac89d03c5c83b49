"""What can go wrong with a bucket, in few kinds and plain words.

A message never quotes what the server wrote: its text may repeat the key id, or what was signed.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from http.client import BadStatusLine, IncompleteRead, LineTooLong
from typing import Any

from mitmcache.store.base import StoreError
from mitmcache.store.location import Location
from mitmcache.store.s3_limits import TooMuch


class Kind(StrEnum):
    """CONFLICT: a condition of the request does not hold. GARBAGE: what answers does not speak S3."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    DENIED = "denied"
    NO_BUCKET = "no-bucket"
    NO_CREDENTIALS = "no-credentials"
    THROTTLED = "throttled"
    CONFLICT = "conflict"
    FAILED = "failed"
    GARBAGE = "garbage"


TO_BE_MENDED = frozenset({Kind.DENIED, Kind.NO_BUCKET, Kind.NO_CREDENTIALS})
"""Does not pass by itself: somebody must change something."""

WORDS = {
    Kind.UNREACHABLE: "it cannot be reached",
    Kind.TIMEOUT: "it did not answer in time",
    Kind.DENIED: "the credentials were refused",
    Kind.NO_BUCKET: "there is no such bucket",
    Kind.NO_CREDENTIALS: "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    Kind.THROTTLED: "it asks for fewer requests",
    Kind.CONFLICT: "somebody else has written in between",
    Kind.FAILED: "it failed",
    Kind.GARBAGE: "what answers does not speak S3",
}

THROTTLED = frozenset({"RequestLimitExceeded", "SlowDown", "Throttling", "ThrottlingException"})
DENIED = frozenset(  # those that do not always come with 401 or 403
    {
        "AuthorizationHeaderMalformed",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "TokenRefreshRequired",
    }
)
CONFLICT = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "OperationAborted"})
MISSING = "NoSuchKey"
CODE = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")


class BucketError(StoreError):
    """One line, with the bucket and the cause, and without any secret.

    `status` is that of the HTTP answer, 0 when there was none.
    """

    def __init__(self, location: Location, kind: Kind, detail: str = "", status: int = 0) -> None:
        self.kind = kind
        self.status = status
        self.cause = f"{WORDS[kind]} ({detail})" if detail else WORDS[kind]
        super().__init__(f"the bucket {location}: {self.cause}")


def explain(location: Location, error: Exception) -> BucketError:
    """For whatever boto3 and what it stands on may raise."""
    if isinstance(error, BucketError):
        return error
    code, status = code_of(error)
    kind, detail = _answered(code, status) if status else _unanswered(error)
    return BucketError(location, kind, detail, status)


def code_of(error: Exception) -> tuple[str, int]:
    """The S3 error code and the HTTP status of an answer; ("", 0) when there was none."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    if not isinstance(response, dict):
        return "", 0
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return (code if CODE.fullmatch(code) else ""), status


def _answered(code: str, status: int) -> tuple[Kind, str]:
    detail = code or f"status {status}"
    if code == "NoSuchBucket":
        return Kind.NO_BUCKET, ""
    if code in THROTTLED or status == 429:
        return Kind.THROTTLED, detail
    if code in CONFLICT or status in (409, 412):
        return Kind.CONFLICT, detail
    if code == "RequestTimeTooSkewed":
        return Kind.DENIED, f"the clock of this machine is wrong: {code}"
    if code in DENIED or status in (401, 403):
        return Kind.DENIED, detail
    if status < 400 or (not code and status < 500):
        return Kind.GARBAGE, detail
    return Kind.FAILED, detail


def _unanswered(error: Exception) -> tuple[Kind, str]:
    from botocore import exceptions as boto
    from botocore.parsers import ResponseParserError

    causes = list(_causes(error))

    def among(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if among(boto.NoCredentialsError):
        return Kind.NO_CREDENTIALS, ""
    if among(boto.PartialCredentialsError, boto.CredentialRetrievalError, boto.TokenRetrievalError):
        return Kind.NO_CREDENTIALS, type(error).__name__
    if among(boto.ConfigParseError, boto.ProfileNotFound, boto.ConfigNotFound):
        return Kind.NO_CREDENTIALS, "the AWS configuration files cannot be read"
    if among(TooMuch):
        return Kind.GARBAGE, "its answer does not end"
    if among(ResponseParserError, BadStatusLine, LineTooLong):
        return Kind.GARBAGE, ""
    if among(boto.IncompleteReadError, boto.ResponseStreamingError, IncompleteRead):
        return (Kind.TIMEOUT, "") if among(TimeoutError) else (Kind.GARBAGE, "the answer was cut off")
    if among(boto.SSLError):
        return Kind.UNREACHABLE, "its TLS certificate or connection was refused"
    if among(TimeoutError, boto.ConnectTimeoutError, boto.ReadTimeoutError):
        return Kind.TIMEOUT, ""
    if among(OSError, boto.HTTPClientError):
        return Kind.UNREACHABLE, _system(causes)
    if among(ValueError, LookupError, TypeError):  # headers that boto3 cannot make sense of
        return Kind.GARBAGE, ""
    return Kind.FAILED, type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that led to it; boto3 hands them on as an argument, and urllib3 in `args`."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        found = waiting.pop()
        if not isinstance(found, BaseException) or found in seen or len(seen) > 20:
            continue
        seen.append(found)
        yield found
        inner = getattr(found, "kwargs", None)
        waiting += [found.__cause__, found.__context__, getattr(found, "reason", None)]
        waiting += [inner.get("error")] if isinstance(inner, dict) else []
        waiting += [argument for argument in found.args if isinstance(argument, BaseException)]


def _system(causes: list[BaseException]) -> str:
    """The operating system's own words for the first cause that has any."""
    told = (cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror)
    return next((text.lower() for text in told if isinstance(text, str)), "the connection was closed")
