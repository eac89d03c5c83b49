import asyncio
import signal
import socket

import pytest

from mitmcache.relay.server import Relay, RelayError

DEADLINE = 60.0


async def test_it_listens_on_the_loopback_alone_and_on_one_port_for_all() -> None:
    relay = Relay()
    first, second = await asyncio.gather(relay.port(), relay.port())
    assert first == second and relay._server and relay._server.servers
    assert [each.getsockname() for each in relay._server.servers[0].sockets] == [("127.0.0.1", first)]
    await relay.close(DEADLINE)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", first)


async def test_signals_stay_with_the_process_it_is_a_guest_in() -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    relay = Relay()
    await relay.port()
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
    await relay.close(DEADLINE)
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


async def test_closing_cuts_off_whoever_is_connected() -> None:
    relay = Relay()
    reader, writer = await asyncio.open_connection("127.0.0.1", await relay.port())
    writer.write(b"GET / HTTP/1.1\r\n")
    await asyncio.wait_for(relay.close(DEADLINE), DEADLINE)
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), DEADLINE)
    writer.close()


async def test_closing_what_never_began_is_harmless() -> None:
    await Relay().close(DEADLINE)


async def test_a_port_is_promised_only_while_it_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    relay = Relay()
    await relay.port()
    await relay.close(DEADLINE)
    with pytest.raises(RelayError):
        await relay.port()


async def test_where_it_cannot_listen_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> socket.socket:
        raise OSError("no more sockets")

    monkeypatch.setattr(socket, "create_server", fail)
    with pytest.raises(RelayError, match="no more sockets"):
        await Relay().port()


async def test_where_dialling_leads_elsewhere_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test bench may have all that is dialled in the process go to one server."""
    relay, dial = Relay(), asyncio.open_connection
    other = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    monkeypatch.setattr(asyncio, "open_connection", lambda *args, **kwargs: dial("127.0.0.1", port))
    with pytest.raises(RelayError, match=r"does not reach 127\.0\.0\.1"):
        await relay.port()
    other.close()
    await relay.close(DEADLINE)
