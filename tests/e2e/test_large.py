"""Answers too large for memory: kept, given again byte for byte, and the proxy stays as small as it was."""

import hashlib
import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from e2e.answers import Answer
from e2e.client import client, outcome, register, request, send
from e2e.conftest import MakeProxy
from e2e.proxy import ProxyProcess
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange
from exchanges.base import sse
from exchanges.openai import ALL, CHAT_STREAM, chunk

MIB = 1 << 20
HUGE = 256 * MIB
ROOM = 96 * MIB
"""What the proxy may take beyond what it took for a small answer."""
SPEECH = next(each for each in ALL if each.path == "/v1/audio/speech")
EMBEDDINGS = next(each for each in ALL if each.path == "/v1/embeddings")

pytestmark = pytest.mark.timeout(400)


@dataclass(frozen=True)
class Got:
    word: str
    digest: str
    size: int


def fetch(through: httpx.Client, exchange: Exchange, **headers: str) -> Got:
    """The answer, read as it comes and not kept."""
    digest, size = hashlib.sha256(), 0
    reply = through.send(request(exchange, **headers), stream=True)
    for piece in reply.iter_bytes():
        digest.update(piece)
        size += len(piece)
    reply.close()
    assert reply.status_code == 200
    return Got(outcome(reply), digest.hexdigest(), size)


def digest_of(answer: Answer) -> str:
    digest = hashlib.sha256()
    for piece in answer.pieces():
        digest.update(piece)
    return digest.hexdigest()


def long_stream(size: int) -> Answer:
    deltas = {"role": "assistant"}, {"content": "word " * 200}
    [first, middle, last] = sse(*map(chunk, deltas), chunk({}, "stop"))
    many = middle * (64 * 1024 // len(middle))
    events = (first, *[many] * (size // len(many)), last, b"data: [DONE]\n\n")
    return Answer(headers=(("content-type", "text/event-stream"),), events=events)


def long_speech(size: int) -> Answer:
    piece = random.Random(size).randbytes(MIB)
    events = tuple([piece] * (size // MIB))
    return Answer(headers=(("content-type", "audio/mpeg"),), events=events, framing="length")


def many_embeddings(size: int) -> Answer:
    numbers = [number / 7919 for number in range(3072)]
    one = json.dumps({"object": "embedding", "embedding": numbers, "index": 0}).encode()
    many = b", ".join([one] * (MIB // len(one)))
    events = (b'{"object": "list", "data": [', *[many + b", "] * (size // len(many)), one, b"]}")
    return Answer(events=events, framing="length")


LARGE = [
    pytest.param(CHAT_STREAM, long_stream(HUGE), id="stream"),
    pytest.param(SPEECH, long_speech(HUGE), id="audio"),
    pytest.param(EMBEDDINGS, many_embeddings(64 * MIB), id="embeddings"),
]


def staged(proxy: ProxyProcess) -> list[Path]:
    return list((proxy.data_dir / "tmp").iterdir())


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """In memory, where there is enough: this upstream is faster than a disk that others write to as well, and
    an answer that is not written in time is not kept."""
    shared = Path("/dev/shm")
    if not shared.is_dir() or shutil.disk_usage(shared).free < 8 * HUGE:
        yield tmp_path / "data"
        return
    with TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)


@pytest.fixture(params=[False, True], ids=["h1", "h2"])
def large(
    request: pytest.FixtureRequest, make_proxy: MakeProxy, quick_folder: Path
) -> Iterator[tuple[ProxyProcess, httpx.Client]]:
    proxy = make_proxy(llm_max_body="512m", llm_data_dir=str(quick_folder))
    with client(proxy, h2=request.param) as through:
        through.timeout = httpx.Timeout(60)
        yield proxy, through


@pytest.mark.parametrize(("exchange", "answer"), LARGE)
def test_a_large_answer_is_given_again_and_never_held(
    exchange: Exchange, answer: Answer, large: tuple[ProxyProcess, httpx.Client], upstream: ScriptedUpstream
) -> None:
    proxy, through = large
    register(upstream, CHAT_STREAM)
    assert [outcome(send(through, CHAT_STREAM.saying("small"))) for _ in range(2)] == ["MISS", "HIT"]
    resting = proxy.memory.peak
    register(upstream, exchange, answer)
    expected = digest_of(answer)
    before = proxy.stats()["stored"]
    first = fetch(through, exchange)
    proxy.wait_stats(lambda stats: stats["stored"] > before or stats["dropped"], 120)
    second = fetch(through, exchange)
    assert [first.word, second.word] == ["MISS", "HIT"]
    assert first.digest == second.digest == expected
    assert proxy.memory.peak - resting < ROOM
    assert staged(proxy) == []
