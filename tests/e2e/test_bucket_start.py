"""A bucket that is not what the user thinks: one clear line at the start, and the local tiers work."""

from collections.abc import Mapping

import pytest

from e2e.bucket import HIT, MISS, Fleet, Questions, ask_all
from e2e.upstream import ScriptedUpstream
from s3.server import ACCESS_KEY, SECRET_KEY, environ

WRONG = "not-the-secret-of-anybody"


def check(
    fleet: Fleet,
    upstream: ScriptedUpstream,
    word: str,
    cause: str,
    variables: Mapping[str, str],
    store: str = "",
) -> None:
    proxy = fleet.proxy("one", ready=False, variables=variables, store=store)
    line = proxy.wait_line("answers are kept on this machine")
    assert cause in line
    asked = Questions(upstream).several(word, 6)
    assert ask_all(proxy, asked) == [MISS] * 6
    assert ask_all(proxy, asked) == [HIT] * 6
    found = proxy.stats()
    assert (found["stored"], found["upload_pending"], found["bucket"]["breaker"]) == (6, 6, "open")
    assert len(proxy.lines_with("answers are kept on this machine")) == 1
    assert not [secret for secret in (WRONG, SECRET_KEY) if secret in proxy.log]
    assert proxy.stop() == 0


def test_wrong_credentials(fleet: Fleet, upstream: ScriptedUpstream, word: str) -> None:
    given = environ(fleet.endpoint, AWS_SECRET_ACCESS_KEY=WRONG)
    check(fleet, upstream, word, "the credentials were refused", given)


def test_an_unknown_key_id(fleet: Fleet, upstream: ScriptedUpstream, word: str) -> None:
    given = environ(fleet.endpoint, AWS_ACCESS_KEY_ID=WRONG)
    check(fleet, upstream, word, "the credentials were refused", given)


def test_no_credentials(fleet: Fleet, upstream: ScriptedUpstream, word: str) -> None:
    given = {"AWS_ENDPOINT_URL_S3": fleet.endpoint, "AWS_EC2_METADATA_DISABLED": "true"}
    check(fleet, upstream, word, "no credentials were found", given)


def test_no_such_bucket(fleet: Fleet, upstream: ScriptedUpstream, word: str) -> None:
    given = environ(fleet.endpoint)
    check(fleet, upstream, word, "there is no such bucket", given, store="s3://nobodys-bucket/x")


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:9", "http://s3.nowhere.invalid", "https://127.0.0.1:9"]
)
def test_an_endpoint_where_nothing_is(
    fleet: Fleet, upstream: ScriptedUpstream, word: str, endpoint: str
) -> None:
    check(fleet, upstream, word, "it cannot be reached", environ(endpoint))


@pytest.mark.parametrize(
    ("store", "endpoint", "named"),
    [
        ("s3:/bucket/prefix", "http://127.0.0.1:9", "llm_store"),
        ("bucket/prefix", "http://127.0.0.1:9", "llm_store"),
        ("s3://bucket/prefix", "127.0.0.1:9", "AWS_ENDPOINT_URL_S3"),
        ("s3://bucket/prefix", "htp://127.0.0.1:9", "AWS_ENDPOINT_URL_S3"),
    ],
)
def test_text_that_names_no_bucket_leaves_the_proxy_with_its_own_tiers(
    fleet: Fleet, upstream: ScriptedUpstream, word: str, store: str, endpoint: str, named: str
) -> None:
    """One line names what to mend."""
    proxy = fleet.proxy("one", ready=False, variables=environ(endpoint), store=store)
    line = proxy.wait_line("answers are kept on this machine alone")
    assert named in line
    asked = Questions(upstream).several(word, 2)
    assert [ask_all(proxy, asked) for _ in range(2)] == [[MISS] * 2, [HIT] * 2]
    assert len(proxy.lines_with("answers are kept on this machine alone")) == 1, proxy.log
    assert not [secret for secret in (ACCESS_KEY, SECRET_KEY) if secret in proxy.log]
    assert proxy.stop() == 0
