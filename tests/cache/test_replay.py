import gzip

import pytest

from made import RECORD
from mitmcache.cache.replay import body_for, kept

ACCEPTS = [
    ("nothing said", "", False),
    ("gzip too", "gzip", False),
    ("what SDKs send", "gzip, deflate, br, zstd", False),
    ("anything", "*", False),
    ("identity alone", "identity", False),
    ("no gzip", "gzip;q=0", False),
    ("identity refused, gzip taken", "gzip, identity;q=0", True),
    ("in another order", "identity;q=0,gzip", True),
    ("in capitals", "GZIP, Identity;Q=0", True),
    ("with spaces", "gzip ; q=1 , identity ; q=0.000", True),
    ("all else refused, gzip taken", "gzip, *;q=0", True),
    ("all else refused, identity taken", "gzip, identity, *;q=0", False),
    ("all else refused, identity taken a little", "identity;q=0.1, *;q=0, gzip", False),
    ("identity refused, all else taken", "identity;q=0, *", True),
    ("identity and gzip refused, all else taken", "identity;q=0, gzip;q=0, *", False),
    ("all refused", "*;q=0", False),
    ("both refused by name", "identity;q=0, gzip;q=0.0", False),
    ("only codings that we do not make", "br, identity;q=0", False),
    ("identity liked little is no refusal", "gzip;q=1, identity;q=0.01", False),
    ("a name that only holds another", "notgzip, identity;q=0", False),
    ("malformed", ";;,q=0,;q=0, =", False),
]


@pytest.mark.parametrize(("accept", "compressed"), [pytest.param(*case[1:], id=case[0]) for case in ACCEPTS])
def test_the_body_is_as_it_is_unless_that_is_refused_and_gzip_taken(accept: str, compressed: bool) -> None:
    body, headers = body_for(RECORD, accept)
    if compressed:
        assert headers == (("content-encoding", "gzip"),)
        assert gzip.decompress(body) == RECORD.body
    else:
        assert (body, headers) == (RECORD.body, ())


def test_a_compressed_body_is_the_same_every_time() -> None:
    assert body_for(RECORD, "gzip, *;q=0") == body_for(RECORD, "gzip, *;q=0")


def test_only_what_belongs_to_the_answer_is_kept() -> None:
    answer = (
        ("content-type", "text/event-stream"),
        ("content-disposition", 'attachment; filename="a"'),
        ("openai-version", "2020-10-01"),
        ("x-amzn-bedrock-input-token-count", "9"),
        ("x-amzn-bedrock-output-token-count", "3"),
        ("openai-model", "m"),
        ("num-tokens", "1"),
        ("num-chars", "5"),
        ("x-inference-provider", "p"),
        ("x-ms-served-model", "m"),
    )
    calls = (
        ("set-cookie", "a=1"),
        ("date", "today"),
        ("request-id", "r"),
        ("x-request-id", "r"),
        ("x-amzn-requestid", "r"),
        ("cf-ray", "c"),
        ("x-ratelimit-remaining-requests", "1"),
        ("anthropic-ratelimit-tokens-remaining", "1"),
        ("openai-organization", "o"),
        ("openai-processing-ms", "5"),
        ("connection", "keep-alive"),
        ("transfer-encoding", "chunked"),
        ("content-length", "5"),
        ("content-encoding", "gzip"),
        ("cache-control", "no-store"),
        ("cache-status", "other; hit"),
        ("age", "1"),
        ("etag", "e"),
        ("strict-transport-security", "s"),
        ("alt-svc", "h3"),
    )
    assert kept((*calls, *answer, *calls)) == answer
