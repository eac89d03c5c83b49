import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.store.location import LONGEST_PREFIX, Location, parse

R2 = "https://acc0.r2.cloudflarestorage.com"
PRIVATE = {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:8333"}

GOOD: list[tuple[str, str, dict[str, str], Location]] = [
    ("a bucket of AWS", "s3://bkt", {}, Location("bkt")),
    ("with a prefix", "s3://bkt/team/llm", {}, Location("bkt", "team/llm")),
    ("with a slash at the end", "s3://bkt/team/", {}, Location("bkt", "team")),
    ("with slashes around", " s3://bkt//team// ", {}, Location("bkt", "team")),
    ("with nothing but a slash", "s3://bkt/", {}, Location("bkt")),
    ("the scheme in capitals", "S3://bkt", {}, Location("bkt")),
    ("a region of AWS", "s3://bkt", {"AWS_REGION": "eu-west-1"}, Location("bkt", "", None, "eu-west-1")),
    ("the older variable", "s3://bkt", {"AWS_DEFAULT_REGION": "r"}, Location("bkt", "", None, "r")),
    ("another server", "s3://bkt", PRIVATE, Location("bkt", "", "http://127.0.0.1:8333")),
    ("the general variable", "s3://bkt", {"AWS_ENDPOINT_URL": "http://h"}, Location("bkt", "", "http://h")),
    (
        "the S3 variable before the general one",
        "s3://bkt",
        {"AWS_ENDPOINT_URL_S3": "http://one", "AWS_ENDPOINT_URL": "http://two"},
        Location("bkt", "", "http://one"),
    ),
    (
        "the endpoint in another spelling",
        "s3://bkt",
        {"AWS_ENDPOINT_URL_S3": "HTTPS://S3.Example.com:443/"},
        Location("bkt", "", "https://s3.example.com"),
    ),
    (
        "an endpoint with a path",
        "s3://bkt",
        {"AWS_ENDPOINT_URL_S3": "http://h:1/r2/s3/"},
        Location("bkt", "", "http://h:1/r2/s3"),
    ),
    (
        "an endpoint that is an IPv6 address",
        "s3://bkt",
        {"AWS_ENDPOINT_URL_S3": "http://[::1]:9"},
        Location("bkt", "", "http://[::1]:9"),
    ),
    (
        "endpoints switched off, as boto3 does it",
        "s3://bkt",
        {"AWS_ENDPOINT_URL_S3": "http://h", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
        Location("bkt"),
    ),
    ("R2", "r2://acc0/bkt/team", {}, Location("bkt", "team", R2, "auto")),
    (
        "R2, whatever the shell says",
        "r2://acc0/bkt",
        {**PRIVATE, "AWS_REGION": "eu-west-1"},
        Location("bkt", "", R2, "auto"),
    ),
    (
        "R2 in a jurisdiction",
        "r2://ACC0.eu/bkt",
        {},
        Location("bkt", "", "https://acc0.eu.r2.cloudflarestorage.com", "auto"),
    ),
    (
        "R2 by its endpoint",
        "s3://bkt/team",
        {"AWS_ENDPOINT_URL_S3": R2, "AWS_REGION": "eu-west-1"},
        Location("bkt", "team", R2, "auto"),
    ),
]


@pytest.mark.parametrize(
    ("text", "environ", "location"), [case[1:] for case in GOOD], ids=[c[0] for c in GOOD]
)
def test_a_location_is_read(text: str, environ: dict[str, str], location: Location) -> None:
    assert parse(text, environ) == location


BAD = [
    ("one slash", "s3:/bkt", {}, "write s3://BUCKET/PREFIX"),
    ("no colon", "s3//bkt", {}, "write s3://BUCKET/PREFIX"),
    ("no scheme", "bkt/prefix", {}, "write s3://BUCKET/PREFIX"),
    ("another scheme", "gs://bkt", {}, "write s3://BUCKET/PREFIX"),
    ("no bucket", "s3://", {}, "names no bucket"),
    ("three slashes", "s3:///bkt", {}, "names no bucket"),
    ("R2 without a bucket", "r2://acc0", {}, "names no bucket"),
    ("R2 without an account", "r2:///bkt", {}, "r2://ACCOUNT/BUCKET"),
    ("an unknown jurisdiction", "r2://acc0.xx/bkt", {}, "r2://acc0.eu/"),
    ("capitals", "s3://Bucket/p", {}, "upper-case"),
    ("an underscore in the bucket", "s3://my_bucket", {}, "lower-case letters, digits, dots and hyphens"),
    ("too short a bucket", "s3://ab", {}, "3 to 63"),
    ("too long a bucket", "s3://" + "b" * 64, {}, "3 to 63"),
    ("a space in the prefix", "s3://bkt/a b", {}, "only letters, digits"),
    ("a query", "s3://bkt/a?b=c", {}, "only letters, digits"),
    ("dots that lead upwards", "s3://bkt/a/../b", {}, "only letters, digits"),
    ("two slashes in the prefix", "s3://bkt/a//b", {}, "two slashes"),
    ("too long a prefix", "s3://bkt/" + "p" * (LONGEST_PREFIX + 1), {}, "longer than"),
    ("the URL of R2's dashboard", f"{R2}/bkt", {}, "write r2://acc0/bkt"),
    ("the same without the bucket", R2, {}, "write r2://acc0/BUCKET"),
    ("some URL", "https://s3.example.com/bkt", {}, "AWS_ENDPOINT_URL_S3"),
    (
        "an endpoint without a scheme",
        "s3://bkt",
        {"AWS_ENDPOINT_URL_S3": "h:80"},
        "AWS_ENDPOINT_URL_S3: write the URL",
    ),
    (
        "an endpoint with a wrong port",
        "s3://bkt",
        {"AWS_ENDPOINT_URL_S3": "http://h:x"},
        "AWS_ENDPOINT_URL_S3: ",
    ),
    ("an endpoint with a query", "s3://bkt", {"AWS_ENDPOINT_URL": "http://h?x"}, "AWS_ENDPOINT_URL: "),
    (
        "R2's endpoint with the bucket in it",
        "s3://bkt",
        {"AWS_ENDPOINT_URL_S3": f"{R2}/bkt"},
        "leave '/bkt' out",
    ),
]


@pytest.mark.parametrize(
    ("text", "environ", "said"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_what_is_no_location_is_refused_with_what_to_write(
    text: str, environ: dict[str, str], said: str
) -> None:
    with pytest.raises(ValueError) as caught:
        parse(text, environ)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        ("s3://AK:hidden@bkt/p", {}),
        ("hidden@s3:/bkt", {}),
        ("r2://AK:hidden@acc0/bkt", {}),
        ("s3://bkt", {"AWS_ENDPOINT_URL_S3": "https://AK:hidden@s3.example.com"}),
        ("s3://bkt", {"AWS_ENDPOINT_URL": "https://hidden@s3.example.com"}),
        ("https://AK:hidden@s3.example.com/bkt", {}),
        ("https://AK:hidden@acc0.r2.cloudflarestorage.com/bkt", {}),
    ],
)
def test_credentials_in_a_url_are_refused_and_not_repeated(text: str, environ: dict[str, str]) -> None:
    with pytest.raises(ValueError) as caught:
        parse(text, environ)
    assert "hidden" not in str(caught.value)


TEXTS: list[tuple[str, dict[str, str], str]] = [
    ("s3://bkt", {}, "s3://bkt"),
    ("s3://bkt/a/b/", {}, "s3://bkt/a/b"),
    ("s3://bkt/a", PRIVATE, "s3://bkt/a at http://127.0.0.1:8333"),
    ("r2://ACC0/bkt/a", {}, "r2://acc0/bkt/a"),
    ("r2://acc0.eu/bkt", {}, "r2://acc0.eu/bkt"),
    ("s3://bkt/a", {"AWS_ENDPOINT_URL_S3": R2}, "r2://acc0/bkt/a"),
]


@pytest.mark.parametrize(("text", "environ", "said"), TEXTS)
def test_its_text_is_one_for_each_destination(text: str, environ: dict[str, str], said: str) -> None:
    assert str(parse(text, environ)) == said


def test_the_same_bucket_elsewhere_is_another_destination_with_the_same_namespace() -> None:
    here, there = parse("s3://bkt/a", {}), parse("s3://bkt/a", PRIVATE)
    assert str(here) != str(there)
    assert here.namespace == there.namespace == "bkt/a"


def test_names_are_below_the_prefix() -> None:
    assert (Location("bkt").name("v1/x"), Location("bkt", "a/b").name("v1/x")) == ("v1/x", "a/b/v1/x")


SEGMENT = st.text(string.ascii_letters + string.digits + "_=-", min_size=1, max_size=20)


@given(
    bucket=st.from_regex(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", fullmatch=True),
    prefix=st.lists(SEGMENT, max_size=9),
)
def test_what_it_shows_is_read_as_the_same(bucket: str, prefix: list[str]) -> None:
    path = "/".join([bucket, *prefix])
    for scheme in ("s3://", "r2://acc0/"):
        location = parse(scheme + path, {})
        assert parse(str(location), {}) == location
        assert str(location) == scheme + path


@given(st.text(max_size=60))
def test_no_text_does_worse_than_a_refusal(text: str) -> None:
    for given_text in (text, f"s3://{text}", f"r2://{text}", f"https://{text}"):
        try:
            parse(given_text, {"AWS_ENDPOINT_URL": text})
        except ValueError as error:
            assert str(error)
