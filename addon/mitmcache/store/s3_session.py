"""boto3's clients, set up so that nothing in the shell can lead them astray.

The shell of somebody who uses this proxy has HTTPS_PROXY, CA bundles and often a profile set, all meant
for other programs, and the first two pointing at the proxy itself.
"""

import logging
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitmcache.store.location import Location
from mitmcache.store.s3_errors import BucketError, Kind

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from mitmcache.store.s3_transport import Transport

READ_CONNECTIONS = 20
WRITE_CONNECTIONS = 8
READ_CONNECT, READ_WAIT = 1.0, 2.0
WRITE_CONNECT, WRITE_WAIT = 2.0, 15.0
"""Seconds for a connection, and for each single wait on it; the deadline of a call is for all of them."""
METADATA_SECONDS = 0.3
"""For each of two requests to the machine's own metadata service, which is not there except on AWS."""
LIBRARIES = ("boto3", "botocore", "urllib3")


@dataclass(frozen=True, slots=True)
class Clients:
    """For reads, of one attempt each, and for all else. Both may be used by many threads.

    `close` lets go of the connections that are idle.
    """

    reads: "S3Client"
    writes: "S3Client"
    close: Callable[[], None]


def connect(location: Location, environ: Mapping[str, str]) -> Clients:
    """Asks the bucket nothing. Takes a fifth of a second at first: boto3 is imported here. BucketError."""
    import boto3
    import certifi
    from botocore.config import Config

    from mitmcache.store.s3_transport import Transport

    # their debug logs hold signed headers, and under mitmproxy every logger writes those
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(logging.ERROR)
    authorities = environ.get("MITMCACHE_S3_CA_BUNDLE") or certifi.where()
    if not Path(authorities).is_file():
        raise BucketError(location, Kind.UNREACHABLE, "MITMCACHE_S3_CA_BUNDLE names no file")
    profile = environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or ""
    session = _session(profile)
    session.set_default_client_config(Config(proxies={}, connect_timeout=2, read_timeout=5))
    keys = _keys(environ)
    if not keys and session.get_credentials() is None:
        raise BucketError(location, Kind.NO_CREDENTIALS, _unknown(session, profile))
    maker = boto3.session.Session(botocore_session=session)
    region = location.region or session.get_config_variable("region") or "us-east-1"
    reading = Transport(authorities, READ_CONNECTIONS, connect=READ_CONNECT, read=READ_WAIT)
    writing = Transport(authorities, WRITE_CONNECTIONS, connect=WRITE_CONNECT, read=WRITE_WAIT)

    def close() -> None:
        reading.close()
        writing.close()

    made = [
        _client(maker, transport, attempts, endpoint_url=location.endpoint, region_name=region, **keys)
        for transport, attempts in ((reading, 1), (writing, 3))
    ]
    return Clients(made[0], made[1], close)


def _client(maker: Any, transport: "Transport", attempts: int, **given: str | None) -> Any:
    from botocore.config import Config

    config = Config(
        # the only style that R2, other servers, and names with dots over TLS have in common
        s3={"addressing_style": "path"},
        # R2 refuses the checksum trailers that are the default; the signature covers the body anyway
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    client = maker.client("s3", config=config, **given)
    # no proxy, no other CA bundle, no Expect, and our own deadlines
    client.meta.events.register("before-send.s3", transport)
    for operation in ("DeleteObjects", "PutBucketLifecycleConfiguration"):
        client.meta.events.register_last(f"before-call.s3.{operation}", _digest)
    return client


def _keys(environ: Mapping[str, str]) -> dict[str, str]:
    """The first link of boto3's chain. The others are left to it."""
    names = {
        "aws_access_key_id": "AWS_ACCESS_KEY_ID",
        "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
        "aws_session_token": "AWS_SESSION_TOKEN",
    }
    found = {name: environ[variable] for name, variable in names.items() if environ.get(variable)}
    return found if {"aws_access_key_id", "aws_secret_access_key"} <= found.keys() else {}


def _session(profile: str) -> Any:
    import botocore.session
    import certifi
    from botocore.httpsession import URLLib3Session

    variables: dict[str, tuple[None, None, object, None]] = {
        "profile": (None, None, None, None),  # an unknown one would be an error for every client
        "ca_bundle": (None, None, certifi.where(), None),  # for the services that hand out credentials
        "metadata_service_timeout": (None, None, METADATA_SECONDS, None),
        "metadata_service_num_attempts": (None, None, 1, None),
    }
    session: Any = botocore.session.Session(session_vars=variables)
    if profile in session.available_profiles:
        variables["profile"] = (None, None, profile, None)
        session = botocore.session.Session(session_vars=variables)
    for provider in session.get_component("credential_provider").providers:
        if provider.METHOD == "iam-role":  # it would ask through HTTP_PROXY
            direct = URLLib3Session(timeout=METADATA_SECONDS, proxies={})  # type: ignore[arg-type]
            provider._role_fetcher._session = direct
    return session


def _unknown(session: Any, profile: str) -> str:
    unknown = profile and profile not in session.available_profiles
    return "the profile that AWS_PROFILE names does not exist" if unknown else ""


def _digest(params: dict[str, Any], **_: object) -> None:
    """For the two requests that must have a checksum: the one that every server has always known."""
    params["context"].get("checksum", {}).pop("request_algorithm", None)
    digest = md5(params["body"], usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = b64encode(digest).decode()
