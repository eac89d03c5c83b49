"""Many streams at once: each arrives whole, and what the proxy holds for them is bounded."""

import asyncio
import ssl

import pytest
from _pytest.terminal import TerminalReporter

import exchanges
from e2e.answers import Answer, Gate
from e2e.client import trusting
from e2e.conftest import MakeProxy
from e2e.upstream import ScriptedUpstream

STREAMS = 1000
EVENTS = 100
CONNECTING = 32
DEADLINE = 200
BYTES_PER_STREAM = 1 << 20
"""Loose: most of it is TLS on both sides and mitmproxy's own layers."""
CHAT = exchanges.openai.CHAT_STREAM


def stream(gate: Gate) -> Answer:
    """The head at once, the events when the gate is open."""
    chunk = exchanges.openai.chunk
    pieces = [chunk({"content": f"word {number:04d} " * 4}) for number in range(EVENTS - 2)]
    events = exchanges.base.sse(*pieces, chunk({}, "stop"), done=True)
    return Answer(headers=(("content-type", "text/event-stream"),), events=events, gate=gate)


class Clients:
    """Raw HTTP/1.1 clients, each with a connection of its own: CONNECT, TLS, one request."""

    def __init__(self, port: int, context: ssl.SSLContext, expected: int, gate: Gate) -> None:
        self._port = port
        self._context = context
        self._connecting = asyncio.Semaphore(CONNECTING)
        self._left = expected
        self._gate = gate

    async def read(self, body: bytes) -> bytes:
        """The reply's body. No event is sent before all clients have their heads."""
        async with self._connecting:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(f"CONNECT {CHAT.host}:443 HTTP/1.1\r\n\r\n".encode())
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            await writer.start_tls(self._context, server_hostname=CHAT.host)
        try:
            head = f"POST {CHAT.path} HTTP/1.1\r\nhost: {CHAT.host}\r\nconnection: close\r\n"
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            self._left -= 1
            if not self._left:
                self._gate.open_for_good()
            return await _chunked(reader)
        finally:
            writer.close()


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    got = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        got.append(await reader.readexactly(size))
        await reader.readexactly(2)
    return b"".join(got)


@pytest.mark.timeout(DEADLINE + 60)
async def test_a_thousand_streams_at_once_arrive_whole(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str, pytestconfig: pytest.Config
) -> None:
    proxy = make_proxy()
    answer = stream(gate := Gate())
    upstream.answer(CHAT.host, CHAT.path, answer)
    clients = Clients(proxy.port, trusting(proxy.ca_file), STREAMS, gate)
    resting = proxy.memory.now
    bodies = [CHAT.saying(f"{word}n{number}").body for number in range(STREAMS)]
    async with asyncio.timeout(DEADLINE):
        got = await asyncio.gather(*(clients.read(body) for body in bodies))
    expected = b"".join(answer.events or ())
    assert [index for index, body in enumerate(got) if body != expected] == []
    stats = await asyncio.to_thread(proxy.wait_stats, lambda found: found["stored"] == STREAMS, 60)
    assert stats["dropped"] == {}
    per_stream = (proxy.memory.peak - resting) // STREAMS
    reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")
    if isinstance(reporter, TerminalReporter):
        reporter.write_line(
            f"proxy: {resting >> 20} MiB at rest, {per_stream >> 10} KiB more per stream at its peak"
        )
    assert per_stream < BYTES_PER_STREAM
