"""Many streams at once: each arrives whole, and what the proxy holds for them is bounded."""

import exchanges
from e2e.answers import Answer

STREAMS = 1000
EVENTS = 100
DEADLINE = 90
BYTES_PER_STREAM = 1 << 20
"""Loose: TLS on both sides, mitmproxy's layers and a flow are most of it."""


def stream() -> Answer:
    chunk = exchanges.openai.chunk
    pieces = [chunk({"content": f"word {number:04d} " * 4}) for number in range(EVENTS - 2)]
    events = exchanges.base.sse(*pieces, chunk({}, "stop"), done=True)
    return Answer(headers=(("content-type", "text/event-stream"),), events=events)


async def read_stream(port: int, context: ssl.SSLContext, body: bytes, host: str) -> bytes:
    """One raw HTTP/1.1 client: CONNECT, TLS, one request, the reply's body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"CONNECT {host}:443 HTTP/1.1\r\n\r\n".encode())
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        await writer.start_tls(context, server_hostname=host)
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        return await read_chunked(reader)
    finally:
        writer.close()


async def read_chunked(reader: asyncio.StreamReader) -> bytes:
    got = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        got.append(await reader.readexactly(size))
        await reader.readexactly(2)
    return b"".join(got)
