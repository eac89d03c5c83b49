"""The relay as its one caller meets it, over a real socket."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio

from mitmcache.relay import origin
from mitmcache.relay.origin import SECRET, Body
from mitmcache.relay.server import Relay

DEADLINE = 60.0
PIECES = [b"1" * 70_000, b"2" * 70_000, b"3"]


class Served:
    """A body, and whether it was closed."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.closed = asyncio.Event()
        self.waiting = 0
        self._loop = asyncio.get_running_loop()
        self.body = Body(pieces, self._close, lambda: self.waiting)

    def _close(self) -> None:
        self._loop.call_soon_threadsafe(self.closed.set)

    async def wait_closed(self) -> None:
        await asyncio.wait_for(self.closed.wait(), DEADLINE)


@pytest_asyncio.fixture(params=[asyncio.eager_task_factory, None], ids=["eager", "plain"])
async def relay(request: pytest.FixtureRequest) -> AsyncIterator[Relay]:
    asyncio.get_running_loop().set_task_factory(request.param)
    made = Relay()
    yield made
    await made.close(DEADLINE)


@pytest_asyncio.fixture
async def through(relay: Relay) -> AsyncIterator[httpx.AsyncClient]:
    base = f"http://127.0.0.1:{await relay.port()}"
    headers = {SECRET: relay.origin.secret}
    async with httpx.AsyncClient(base_url=base, headers=headers, trust_env=False, timeout=DEADLINE) as made:
        yield made


async def test_a_body_is_sent_once_piece_by_piece_and_closed(
    relay: Relay, through: httpx.AsyncClient
) -> None:
    served = Served(iter(PIECES))
    path = relay.origin.offer(served.body)
    reply = await through.get(path)
    assert (reply.status_code, reply.content) == (200, b"".join(PIECES))
    assert reply.headers[SECRET] == relay.origin.secret
    assert "date" not in reply.headers and "server" not in reply.headers
    await served.wait_closed()
    assert (await through.get(path)).status_code == 404


@pytest.mark.parametrize("told", ["", "f" * 64, "\xff"])
async def test_who_does_not_know_the_secret_gets_nothing_and_spoils_nothing(
    relay: Relay, through: httpx.AsyncClient, told: str
) -> None:
    path = relay.origin.offer(Served(iter(PIECES)).body)
    refused = await through.get(path, headers={SECRET.encode(): told.encode("latin-1")})
    assert (refused.status_code, SECRET in refused.headers) == (403, False)
    assert (await through.get(path)).status_code == 200


@pytest.mark.parametrize("path", ["/", "/bodies/", "/bodies/" + "f" * 64, "/docs"])
async def test_there_is_nothing_else(through: httpx.AsyncClient, path: str) -> None:
    reply = await through.get(path)
    assert (reply.status_code, SECRET in reply.headers) == (404, False)


async def test_a_body_that_fails_ends_short_and_is_closed(
    relay: Relay, through: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    def pieces() -> Iterator[bytes]:
        yield PIECES[0]
        raise OSError("the disk")

    served = Served(pieces())
    with pytest.raises(httpx.TransportError):
        await through.get(relay.origin.offer(served.body))
    await served.wait_closed()
    assert [told.getMessage() for told in caplog.records if told.levelname not in ("DEBUG", "INFO")] == [
        "mitmcache: a large answer broke off: the disk"
    ]


async def test_what_is_withdrawn_while_it_is_sent_is_cut_off_and_closed(
    relay: Relay, through: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """mitmproxy may leave its connection open when its own client has left."""
    served = Served(iter(PIECES))
    served.waiting = origin.MOST_WAITING + 1
    path = relay.origin.offer(served.body)
    async with through.stream("GET", path) as reply:
        relay.origin.withdraw("/bodies/another")
        relay.origin.withdraw(path)
        with pytest.raises(httpx.TransportError):
            await reply.aread()
    await served.wait_closed()
    assert not [told for told in caplog.records if told.levelname not in ("DEBUG", "INFO")]


async def test_a_caller_that_leaves_has_its_body_closed_after_the_read_under_way(
    relay: Relay, through: httpx.AsyncClient
) -> None:
    go_on = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield PIECES[0]
        assert go_on.wait(DEADLINE)
        yield PIECES[1]

    served = Served(pieces())
    async with through.stream("GET", relay.origin.offer(served.body)) as reply:
        await anext(reply.aiter_raw())
    async with asyncio.timeout(DEADLINE):
        while served.body._reading is None or not served.body._reading._callbacks:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert not served.closed.is_set()
    go_on.set()
    await served.wait_closed()


async def test_a_caller_that_does_not_read_is_waited_for(
    relay: Relay, through: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel takes some, but never all of it."""
    read = 0

    def pieces() -> Iterator[bytes]:
        nonlocal read
        for _ in range(1000):
            read += 1
            yield b"1" * (1 << 20)

    served = Served(pieces())
    async with through.stream("GET", relay.origin.offer(served.body)):
        before = -1
        while before < read:
            before = read
            await asyncio.sleep(0.1)
    assert read < 900
    await served.wait_closed()


async def test_nothing_is_sent_while_too_much_waits_on_the_way(
    relay: Relay, through: httpx.AsyncClient
) -> None:
    served = Served(iter(PIECES))
    served.waiting = origin.MOST_WAITING + 1
    async with through.stream("GET", relay.origin.offer(served.body)) as reply:
        raw = reply.aiter_raw()
        first = asyncio.ensure_future(anext(raw))
        await asyncio.wait([first], timeout=5 * origin.LOOK_AGAIN)
        assert not first.done() and served.body._reading is None
        served.waiting = origin.MOST_WAITING
        got = await first
        async for piece in raw:
            got += piece
    assert got == b"".join(PIECES)


async def test_what_nobody_fetched_is_closed_when_it_is_withdrawn_or_at_the_end(relay: Relay) -> None:
    withdrawn, left = Served(iter(PIECES)), Served(iter(PIECES))
    path = relay.origin.offer(withdrawn.body)
    relay.origin.offer(left.body)
    relay.origin.withdraw(path)
    await withdrawn.wait_closed()
    relay.origin.withdraw(path)
    assert not left.closed.is_set()
    await relay.close(DEADLINE)
    await left.wait_closed()
