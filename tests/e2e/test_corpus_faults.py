"""Recorded exchanges whose upstream fails first: seen as without us, never kept, mended by the next call."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from corpus import Entry, body_of, corpus_dir, entries
from e2e.client import TIMEOUT, trusting
from e2e.proxy import ProxyProcess
from e2e.recorded import RecordedUpstream
from mitmcache.wire.coding import decode

pytestmark = pytest.mark.skipif(corpus_dir() is None, reason="no corpus")

# a host of each form of reply
FORMS = [
    ("JSON", "api.openai.com", "chat.completions", None),
    ("SSE with [DONE]", "api.openai.com", "chat.completions", "sse"),
    ("SSE with an event that ends it", "api.anthropic.com", "messages", "sse"),
    ("SSE with nothing at its end", "generativelanguage.googleapis.com", "streamGenerateContent", "sse"),
    ("AWS frames", "bedrock-runtime.us-east-1.amazonaws.com", "bedrock.converse-stream", "eventstream"),
    ("a JSON array", "generativelanguage.googleapis.com", "streamGenerateContent", "json-array"),
]
LONG = 3500
"""Bytes: more than the three pieces after which a stream is cut, also where they are compressed."""
FAILURES = [{"fail_next": 1, "fail_status": status} for status in (400, 401, 429, 500, 503, 529)]
HANG_UPS: list[dict[str, int]] = [{"close_next": 1}, {"reset_next": 1}]
CUTS = [{"cut_next": 1, "cut_after_events": events} for events in (0, 1, 3)]

forms = pytest.mark.parametrize("form", FORMS, ids=[form[0] for form in FORMS])


class Seen(NamedTuple):
    """`whole` is false where the transmission broke off, which is all that httpx says of it."""

    status: int
    body: bytes
    whole: bool
    outcome: str = ""


@pytest.fixture(scope="module")
def through(
    recorded: RecordedUpstream, confdir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProxyProcess]:
    with ProxyProcess(recorded, tmp_path_factory.mktemp("proxy"), confdir) as proxy:
        yield proxy
    assert not proxy.crashes, proxy.tail()


@pytest.fixture
def direct(recorded: RecordedUpstream) -> Iterator[httpx.Client]:
    """Without a proxy: whatever the host, the connection goes to the upstream."""
    with httpx.Client(base_url=f"http://127.0.0.1:{recorded.port}", trust_env=False, timeout=TIMEOUT) as made:
        yield made


@pytest.fixture
def proxied(through: ProxyProcess) -> Iterator[httpx.Client]:
    context = trusting(through.ca_file)
    with httpx.Client(proxy=through.url, verify=context, trust_env=False, timeout=TIMEOUT) as made:
        yield made


def entry_of(form: tuple[str, str, str, str | None]) -> Entry:
    """The first whose request was made once only: its answer is then always the same."""
    _, host, operation, stream = form
    keys = [entry["match_key"] for entry in entries()]
    return next(
        entry
        for entry in entries()
        if f"//{host}/" in entry["request"]["url"]
        and (entry["operation"], entry["stream_format"]) == (operation, stream)
        and entry["response"]["status"] == 200
        and keys.count(entry["match_key"]) == 1
        and (stream is None or len(body_of(entry["response"])) > LONG)
    )


def ask(client: httpx.Client, entry: Entry, secret: str) -> Seen:
    """`secret` keeps the tests apart: what one asks is not in another's cache."""
    recorded = entry["request"]
    url = httpx.URL(recorded["url"])
    to = url.raw_path.decode() if client.base_url.host else url
    kept = [pair for pair in recorded["headers"] if pair[0].lower() not in ("accept-encoding", "host")]
    headers = [("host", url.netloc.decode()), ("accept-encoding", "identity"), ("x-api-key", secret), *kept]
    wire = bytearray()
    with client.stream(recorded["method"], to, headers=headers, content=body_of(recorded)) as reply:
        try:
            for chunk in reply.iter_raw():
                wire += chunk
        except httpx.RemoteProtocolError:
            return Seen(reply.status_code, bytes(wire), False)
    return Seen(reply.status_code, bytes(wire), True, reply.headers.get("x-cache", ""))


def mends(through: ProxyProcess, proxied: httpx.Client, entry: Entry, secret: str) -> None:
    """Nothing was kept of the failure: the next call is a miss, and the one after it a hit, as recorded."""
    wire = body_of(entry["response"])
    answer = decode(wire, dict(entry["response"]["headers"]).get("content-encoding", ""), 1 << 20)
    stored = through.stats()["stored"]
    assert ask(proxied, entry, secret) == Seen(200, wire, True, "MISS")
    through.wait_stats(lambda stats: stats["stored"] == stored + 1)
    assert ask(proxied, entry, secret) == Seen(200, answer, True, "HIT")


@forms
@pytest.mark.parametrize("fault", FAILURES, ids=lambda fault: str(fault["fail_status"]))
def test_a_failure_is_seen_as_it_is(
    recorded: RecordedUpstream,
    through: ProxyProcess,
    direct: httpx.Client,
    proxied: httpx.Client,
    form: tuple[str, str, str, str | None],
    fault: dict[str, int],
    word: str,
) -> None:
    entry = entry_of(form)
    recorded.control(**fault)
    expected = ask(direct, entry, word)
    recorded.control(**fault)
    seen = ask(proxied, entry, word)
    assert seen == expected._replace(outcome="MISS") and seen.status == fault["fail_status"]
    mends(through, proxied, entry, word)


@forms
@pytest.mark.parametrize("fault", HANG_UPS, ids=lambda fault: next(iter(fault)))
def test_an_upstream_that_hangs_up_is_a_bad_gateway(
    recorded: RecordedUpstream,
    through: ProxyProcess,
    proxied: httpx.Client,
    form: tuple[str, str, str, str | None],
    fault: dict[str, int],
    word: str,
) -> None:
    """As it is with mitmproxy alone."""
    entry = entry_of(form)
    recorded.control(**fault)
    assert ask(proxied, entry, word).status == 502
    mends(through, proxied, entry, word)


@pytest.mark.parametrize("form", FORMS[1:], ids=[form[0] for form in FORMS[1:]])
@pytest.mark.parametrize("fault", CUTS, ids=lambda fault: f"after {fault['cut_after_events']}")
def test_a_stream_that_is_cut_is_cut_for_the_client_too(
    recorded: RecordedUpstream,
    through: ProxyProcess,
    direct: httpx.Client,
    proxied: httpx.Client,
    form: tuple[str, str, str, str | None],
    fault: dict[str, int],
    word: str,
) -> None:
    entry = entry_of(form)
    recorded.control(**fault)
    expected = ask(direct, entry, word)
    recorded.control(**fault)
    assert ask(proxied, entry, word) == expected and not expected.whole
    mends(through, proxied, entry, word)


def test_a_document_that_is_cut_is_a_bad_gateway(
    recorded: RecordedUpstream, through: ProxyProcess, proxied: httpx.Client, word: str
) -> None:
    """mitmproxy has collected it, and nothing has been sent yet."""
    entry = entry_of(FORMS[0])
    recorded.control(cut_next=1, cut_after_bytes=100)
    assert ask(proxied, entry, word).status == 502
    recorded.control(cut_after_bytes=None)
    mends(through, proxied, entry, word)
