"""Large answers and clients that leave, read slowly, or ask for something special."""

import asyncio
import hashlib
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from h2.connection import H2Connection
from h2.events import DataReceived

from e2e.answers import Answer, Gate
from e2e.client import client, concurrent, outcome, register, request, trusting
from e2e.conftest import MakeProxy
from e2e.proxy import ProxyProcess
from e2e.test_large import (
    HUGE,
    MIB,
    ROOM,
    SPEECH,
    Got,
    digest_of,
    fetch,
    long_speech,
    long_stream,
    quick_folder,
    staged,
)
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange
from exchanges.openai import CHAT_STREAM

SIZE = 24 * MIB
DEADLINE = 100.0

__all__ = ["quick_folder"]

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(params=[False, True], ids=["h1", "h2"])
def through(request: pytest.FixtureRequest, proxy: ProxyProcess) -> Iterator[httpx.Client]:
    with client(proxy, h2=request.param) as made:
        made.timeout = httpx.Timeout(60)
        yield made


def stored(proxy: ProxyProcess, through: httpx.Client, exchange: Exchange) -> Got:
    before = proxy.stats()["stored"]
    got = fetch(through, exchange)
    assert got.word == "MISS"
    proxy.wait_stats(lambda stats: stats["stored"] > before, DEADLINE)
    return got


def something_staged(proxy: ProxyProcess) -> None:
    """A thread writes it."""
    end = time.monotonic() + DEADLINE
    while not staged(proxy):
        assert time.monotonic() < end, "nothing is written while the answer is heard"
        time.sleep(0.01)


def nothing_staged(proxy: ProxyProcess) -> None:
    """A spool is removed in a thread, after its answer was counted."""
    end = time.monotonic() + DEADLINE
    while left := staged(proxy):
        assert time.monotonic() < end, left
        time.sleep(0.01)


def open_files(proxy: ProxyProcess) -> list[str]:
    """Those of the store."""
    assert proxy._process
    links = Path(f"/proc/{proxy._process._popen.pid}/fd").iterdir()
    found = []
    for link in links:
        try:
            found.append(str(link.readlink()))
        except FileNotFoundError:
            continue
    return [name for name in found if "/blobs/" in name or "/tmp/" in name.removeprefix(str(proxy.folder))]


def something_open(proxy: ProxyProcess) -> None:
    end = time.monotonic() + DEADLINE
    while not open_files(proxy):
        assert time.monotonic() < end, "the answer is not given from a file, or not any more"
        time.sleep(0.01)


def nothing_open(proxy: ProxyProcess) -> None:
    end = time.monotonic() + DEADLINE
    while left := open_files(proxy):
        assert time.monotonic() < end, left
        time.sleep(0.01)


@pytest.mark.parametrize("answer", [long_stream(SIZE), long_speech(SIZE)], ids=["stream", "audio"])
def test_a_large_answer_that_is_cut_off_is_not_kept(
    answer: Answer, through: httpx.Client, proxy: ProxyProcess, upstream: ScriptedUpstream, word: str
) -> None:
    exchange = (SPEECH if answer.framing else CHAT_STREAM).saying(word)
    register(upstream, exchange, replace(answer, cut_after=len(answer.pieces()) - 2))
    before = sum(proxy.stats()["dropped"].values())
    with pytest.raises(httpx.RemoteProtocolError):
        fetch(through, exchange)
    proxy.wait_stats(lambda stats: sum(stats["dropped"].values()) > before, DEADLINE)
    nothing_staged(proxy)
    register(upstream, exchange, answer)
    assert fetch(through, exchange).word == "MISS"


def test_a_large_answer_whose_caller_leaves_is_not_kept(
    proxy: ProxyProcess, upstream: ScriptedUpstream, word: str
) -> None:
    exchange, gate = SPEECH.saying(word), Gate()
    register(upstream, exchange, replace(long_speech(SIZE), gate=gate))
    gate.open(SIZE // MIB - 1)
    before = sum(proxy.stats()["dropped"].values())
    with client(proxy) as through:
        reply = through.send(request(exchange), stream=True)
        raw, heard = reply.iter_raw(), 0
        while heard < SIZE // 2:
            heard += len(next(raw))
        something_staged(proxy)
    proxy.wait_stats(lambda stats: sum(stats["dropped"].values()) > before, DEADLINE)
    nothing_staged(proxy)


@pytest.mark.parametrize("pause", [0, 2], ids=["at once", "when nothing moves any more"])
@pytest.mark.parametrize("h2", [False, True], ids=["h1", "h2"])
def test_a_caller_that_leaves_in_the_middle_of_a_hit_leaves_no_file_open(
    h2: bool, pause: float, proxy: ProxyProcess, upstream: ScriptedUpstream, word: str
) -> None:
    exchange = SPEECH.saying(word)
    register(upstream, exchange, long_speech(HUGE // 4))
    with client(proxy, h2=h2) as through:
        stored(proxy, through, exchange)
        reply = through.send(request(exchange), stream=True)
        assert outcome(reply) == "HIT"
        next(reply.iter_raw())
        something_open(proxy)
        time.sleep(pause)
    nothing_open(proxy)
    with client(proxy, h2=h2) as through:
        assert fetch(through, exchange).word == "HIT"
    nothing_open(proxy)


async def fetched(through: httpx.AsyncClient, exchange: Exchange) -> Got:
    digest, size = hashlib.sha256(), 0
    reply = await through.send(request(exchange), stream=True)
    async for piece in reply.aiter_bytes():
        digest.update(piece)
        size += len(piece)
    await reply.aclose()
    return Got(outcome(reply), digest.hexdigest(), size)


async def test_ten_hits_one_after_another_and_eight_at_once_over_one_connection(
    proxy: ProxyProcess, upstream: ScriptedUpstream, word: str
) -> None:
    """mitmproxy lets five connections to one address live at a time."""
    exchange = SPEECH.saying(word)
    register(upstream, exchange, long_speech(SIZE))
    with client(proxy) as through:
        through.timeout = httpx.Timeout(60)
        first = stored(proxy, through, exchange)
    hit = Got("HIT", first.digest, first.size)
    async with concurrent(proxy, h2=True) as at_once:
        at_once.timeout = httpx.Timeout(60)
        for _ in range(10):
            assert await fetched(at_once, exchange) == hit
        assert await asyncio.gather(*(fetched(at_once, exchange) for _ in range(8))) == [hit] * 8


def test_who_refuses_a_plain_body_gets_it_gzipped(
    through: httpx.Client, proxy: ProxyProcess, upstream: ScriptedUpstream, word: str
) -> None:
    exchange = CHAT_STREAM.saying(word)
    register(upstream, exchange, answer := long_stream(SIZE))
    stored(proxy, through, exchange)
    reply = through.send(request(exchange, accept_encoding="gzip, identity;q=0"), stream=True)
    assert reply.headers["content-encoding"] == "gzip"
    reply.close()
    again = fetch(through, exchange, accept_encoding="gzip, identity;q=0")
    assert again == Got("HIT", digest_of(answer), sum(map(len, answer.pieces())))


def test_a_large_answer_is_given_offline_and_after_a_restart(
    make_proxy: MakeProxy, upstream: ScriptedUpstream
) -> None:
    register(upstream, SPEECH, long_speech(SIZE))
    live = make_proxy()
    with client(live) as through:
        first = stored(live, through, SPEECH)
    live.stop()
    offline = make_proxy(llm_mode="offline")
    seen = len(upstream.seen)
    with client(offline) as through:
        again = [fetch(through, SPEECH) for _ in range(2)]
    assert again == [Got("HIT", first.digest, first.size)] * 2
    assert len(upstream.seen) == seen


def test_over_http2_a_hit_waits_for_a_caller_that_reads_slowly(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, quick_folder: Path
) -> None:
    """One that never says what it has read gets what fits into its window, and the rest waits on disk."""
    proxy = make_proxy(llm_max_body="512m", llm_data_dir=str(quick_folder))
    register(upstream, SPEECH, long_speech(HUGE))
    with client(proxy) as through:
        through.timeout = httpx.Timeout(60)
        stored(proxy, through, SPEECH)
    resting = proxy.memory.peak
    with closing(socket.create_connection(("127.0.0.1", proxy.port), DEADLINE)) as raw:
        raw.sendall(f"CONNECT {SPEECH.host}:443 HTTP/1.1\r\nHost: {SPEECH.host}:443\r\n\r\n".encode())
        assert b" 200 " in raw.recv(4096)
        context = trusting(proxy.ca_file)
        context.set_alpn_protocols(["h2"])
        with context.wrap_socket(raw, server_hostname=SPEECH.host) as tls:
            peer = H2Connection()
            peer.initiate_connection()
            names = [
                (":method", "POST"),
                (":scheme", "https"),
                (":authority", SPEECH.host),
                (":path", SPEECH.path),
            ]
            peer.send_headers(1, [*names, *SPEECH.headers])
            peer.send_data(1, SPEECH.body, end_stream=True)
            tls.sendall(peer.data_to_send())
            heard = 0
            while heard < 65535:
                events = peer.receive_data(tls.recv(65536))
                heard += sum(len(event.data or b"") for event in events if isinstance(event, DataReceived))
                tls.sendall(peer.data_to_send())
            before = -1
            while before < (before := proxy.memory.peak):  # until it takes no more
                time.sleep(1)
    assert proxy.memory.peak - resting < ROOM
