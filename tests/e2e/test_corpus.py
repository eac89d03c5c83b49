"""Recorded traffic, through the proxy, two rounds: first as recorded, then from the cache."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import pytest

from corpus import Entry, body_of, corpus_dir, entries
from e2e.client import TIMEOUT, trusting
from e2e.proxy import ProxyProcess
from e2e.recorded import RecordedUpstream
from mitmcache.providers import catalogue
from mitmcache.wire.coding import decode

pytestmark = [
    pytest.mark.skipif(corpus_dir() is None, reason="no corpus"),
    pytest.mark.timeout(400),
]

LIMIT = 64 << 20
SECRETS = {
    "anthropic": ("x-api-key", "not-a-key"),
    "azure_openai": ("api-key", "not-a-key"),
    "gemini": ("x-goog-api-key", "not-a-key"),
    "bedrock": (
        "authorization",
        "AWS4-HMAC-SHA256 Credential=NOKEY/20260101/us-east-1/bedrock/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64,
    ),
}
MAIN = ("openai", "anthropic", "gemini", "bedrock", "cohere", "mistral", "ollama")

type Answer = tuple[int, str, bytes]
"""Status, content-type, decoded body."""


@pytest.fixture
def through(recorded: RecordedUpstream, confdir: Path, tmp_path: Path) -> Iterator[ProxyProcess]:
    with ProxyProcess(recorded, tmp_path / "proxy", confdir) as proxy:
        yield proxy


def header(part: Entry, name: str) -> str:
    return next((value for key, value in part["headers"] if key.lower() == name), "")


def answer_in(entry: Entry) -> Answer:
    reply = entry["response"]
    body = decode(body_of(reply), header(reply, "content-encoding"), LIMIT)
    return reply["status"], header(reply, "content-type"), body


def ask(client: httpx.Client, entry: Entry) -> tuple[Answer, httpx.Headers]:
    recorded, body = entry["request"], body_of(entry["request"])
    secret = SECRETS.get(entry["provider"], ("authorization", "Bearer not-a-key"))
    sent = [pair for pair in recorded["headers"] if pair[0].lower() != "accept-encoding"]
    request = httpx.Request(
        recorded["method"],
        recorded["url"],
        headers=[*sent, secret, ("accept-encoding", "identity")],
        content=body or None,
    )
    if not body and recorded["method"] == "POST":
        request.headers["content-length"] = "0"
    reply = client.send(request, stream=True)
    wire = b"".join(reply.iter_raw())
    plain = decode(wire, reply.headers.get("content-encoding", ""), LIMIT)
    return (reply.status_code, reply.headers.get("content-type", ""), plain), reply.headers


def is_inference(entry: Entry) -> bool:
    url = urlsplit(entry["request"]["url"])
    host = re.sub(r":(443|80)$", "", url.netloc.lower())
    path = re.sub("/{2,}", "/", unquote(url.path))
    return catalogue.find(host, entry["request"]["method"], path) is not None


def play(proxy: ProxyProcess, upstream: RecordedUpstream, chosen: list[Entry], *, h2: bool) -> None:
    expected: dict[str, set[Answer]] = defaultdict(set)
    for entry in entries():  # the server answers recordings of one request by turns
        expected[entry["match_key"]].add(answer_in(entry))
    before = upstream.calls()
    hits: dict[str, str] = {}
    with httpx.Client(
        proxy=proxy.url,
        verify=trusting(proxy.ca_file, upstream.ca_file, h2=h2),
        http2=h2,
        trust_env=False,
        timeout=TIMEOUT,
    ) as client:
        for second in (False, True):
            for entry in chosen:
                answer, headers = ask(client, entry)
                assert answer in expected[entry["match_key"]], (second, entry["id"], answer[:2])
                if not is_inference(entry):
                    assert "cf-aig-cache-status" not in headers, entry["id"]
                elif headers["x-cache"] == "HIT":
                    hits[entry["match_key"]] = entry["id"]
                elif second:
                    assert_reason(entry, headers)
    asked, since = Counter[str](), upstream.calls() - before
    for entry in entries():
        asked[entry["match_key"]] += since[entry["id"]]
    assert {key: asked[key] for key in hits if asked[key] > 1} == {}
    assert len(hits) > 0.8 * len({entry["match_key"] for entry in chosen if is_inference(entry)})


def assert_reason(entry: Entry, headers: httpx.Headers) -> None:
    """What is not given from the cache the second time says why; a stream's end comes after its headers."""
    told = headers["cache-status"]
    if entry["stream_format"] and entry["response"]["status"] == 200 and "fwd=uri-miss" in told:
        assert headers["x-cache"] == "MISS"
    else:
        assert "; detail=" in told, (entry["id"], told)


def test_the_whole_corpus_over_http1(through: ProxyProcess, recorded: RecordedUpstream) -> None:
    play(through, recorded, list(entries()), h2=False)
    assert not through.crashes, through.tail()


def test_the_main_dialects_over_http2(through: ProxyProcess, recorded: RecordedUpstream) -> None:
    play(through, recorded, [entry for entry in entries() if entry["provider"] in MAIN][::3], h2=True)
    assert not through.crashes, through.tail()
