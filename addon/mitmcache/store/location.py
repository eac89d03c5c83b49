"""Where the bucket is: the text that a user gives, and what it comes to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

R2_HOST = ".r2.cloudflarestorage.com"
JURISDICTIONS = ("eu", "fedramp", "us")
LONGEST_PREFIX = 200
"""Bytes: what stands behind the prefix is below 400, and a name may have 1024."""
FORMS = "write s3://BUCKET/PREFIX or r2://ACCOUNT/BUCKET/PREFIX"

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
ACCOUNT = re.compile(r"[0-9a-z]{1,63}")
SEGMENT = re.compile(r"[A-Za-z0-9._=-]+")
DEFAULT_PORTS = {"http": 80, "https": 443}


NOTED = "store"
"""Under this name a data folder remembers, as text, the bucket that it is in front of."""


@dataclass(frozen=True, slots=True)
class Location:
    """A bucket, the prefix of our names in it ("" or without a slash at either end), and where it is served.

    With no endpoint it is AWS; with no region the one of the AWS configuration. As text it names the
    destination: two locations are the same place if their texts are equal.
    """

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None

    def name(self, relative: str) -> str:
        """The whole name of an object of ours."""
        return f"{self.prefix}/{relative}" if self.prefix else relative

    @property
    def namespace(self) -> str:
        """What is ours in the bucket, by whichever endpoint it is reached."""
        return f"{self.bucket}/{self.prefix}"

    def __str__(self) -> str:
        path = self.name("").rstrip("/")
        place = f"{self.bucket}/{path}" if path else self.bucket
        if account := _account(self.endpoint):
            return f"r2://{account}/{place}"
        return f"s3://{place} at {self.endpoint}" if self.endpoint else f"s3://{place}"


def parse(text: str, environ: Mapping[str, str]) -> Location:
    """Raises ValueError, whose text says what is wrong and what to write. The endpoint of s3:// comes from
    AWS_ENDPOINT_URL_S3, else AWS_ENDPOINT_URL."""
    text = text.strip()
    scheme, mark, rest = text.partition("://")
    if mark and scheme.lower() in ("http", "https"):
        raise ValueError(_for_url(text))
    if not mark or scheme.lower() not in ("s3", "r2"):
        raise ValueError(f"{_shown(text)} is no bucket: {FORMS}")
    if scheme.lower() == "r2":
        account, _, rest = rest.partition("/")
        bucket, _, prefix = rest.partition("/")
        endpoint = f"https://{_r2_account(account)}{R2_HOST}"
        return Location(_bucket(bucket, text), _prefix(prefix), endpoint, "auto")
    bucket, _, prefix = rest.partition("/")
    found = _endpoint(environ)
    region = "auto" if _account(found) else environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    return Location(_bucket(bucket, text), _prefix(prefix), found, region or None)


def _bucket(name: str, text: str) -> str:
    if not name:
        raise ValueError(f"{_shown(text)} names no bucket: {FORMS}")
    if "@" in name:
        raise ValueError(f"no credentials in the bucket's name: set AWS_ACCESS_KEY_ID instead; {FORMS}")
    if name != name.lower():
        raise ValueError(f"the bucket {name!r} has upper-case letters, which no bucket's name can have")
    if not BUCKET.fullmatch(name) or ".." in name:
        raise ValueError(
            f"the bucket {name!r}: a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens, "
            "a letter or digit at each end"
        )
    return name


def _prefix(text: str) -> str:
    prefix = text.strip("/")
    if not prefix:
        return ""
    if len(prefix.encode()) > LONGEST_PREFIX:
        raise ValueError(f"the prefix behind the bucket is longer than {LONGEST_PREFIX} bytes")
    for segment in prefix.split("/"):
        if not segment:
            raise ValueError(f"the prefix {prefix!r} has two slashes in a row")
        if not SEGMENT.fullmatch(segment) or segment in (".", ".."):
            raise ValueError(
                f"the prefix {prefix!r}: only letters, digits and . _ = - can be used between the slashes"
            )
    return prefix


def _r2_account(text: str) -> str:
    account, dot, jurisdiction = text.lower().partition(".")
    if not ACCOUNT.fullmatch(account):
        raise ValueError(f"{_shown(text)} is no R2 account's id: write r2://ACCOUNT/BUCKET/PREFIX")
    if dot and jurisdiction not in JURISDICTIONS:
        raise ValueError(
            f"{jurisdiction!r} is no R2 jurisdiction: write r2://{account}/... or one of "
            + ", ".join(f"r2://{account}.{name}/..." for name in JURISDICTIONS)
        )
    return account + dot + jurisdiction


def _account(endpoint: str | None) -> str | None:
    """The account, with its jurisdiction, that an endpoint of R2 belongs to."""
    if not endpoint or not endpoint.startswith("https://") or not endpoint.endswith(R2_HOST):
        return None
    return endpoint.removeprefix("https://").removesuffix(R2_HOST)


def _endpoint(environ: Mapping[str, str]) -> str | None:
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        if value := environ.get(name, "").strip():
            try:
                return _normal(urlsplit(value))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
    return None


def _normal(url: SplitResult) -> str:
    """As two spellings of one endpoint have it in common."""
    if url.username is not None or url.password is not None or "@" in url.netloc:
        raise ValueError("no credentials in the URL: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead")
    if url.scheme not in DEFAULT_PORTS or not url.hostname:
        raise ValueError("write the URL of the S3 server, such as https://s3.example.com")
    if url.query or url.fragment:
        raise ValueError("the URL of the S3 server has no ? and no #")
    path = url.path.rstrip("/")
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    if host.endswith(R2_HOST) and path:
        raise ValueError(f"leave {path!r} out of the URL: the bucket is named in llm_store alone")
    port = "" if url.port in (None, DEFAULT_PORTS[url.scheme]) else f":{url.port}"
    return f"{url.scheme}://{host}{port}{path}"


def _for_url(text: str) -> str:
    """What to write in place of the URL that a dashboard shows."""
    url = urlsplit(text)
    host = (url.hostname or "").lower()
    if host.endswith(R2_HOST):
        path = url.path.strip("/") or "BUCKET"
        return f"a URL is no bucket: write r2://{host.removesuffix(R2_HOST)}/{path}"
    return f"a URL is no bucket: {FORMS}, and give the URL of the server in AWS_ENDPOINT_URL_S3"


def _shown(text: str) -> str:
    """Quoted, and without what stands before an @: it may be a secret."""
    _, mark, rest = text.rpartition("@")
    return repr(f"...@{rest}" if mark else rest)
