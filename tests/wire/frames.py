"""Writes AWS event stream frames."""

from binascii import crc32

type Header = tuple[bytes, int, bytes]
"""Name, type, and the value with any length that goes before it."""


def string(name: str, value: str) -> Header:
    encoded = value.encode()
    return name.encode(), 7, len(encoded).to_bytes(2) + encoded


def frame(name: str, payload: bytes, *, message_type: str = "event") -> bytes:
    """One message as AWS sends it. `message_type`: event, exception or error."""
    label = {"exception": ":exception-type", "error": ":error-code"}.get(message_type, ":event-type")
    headers = [string(label, name), string(":content-type", "application/json")]
    return raw_frame([*headers, string(":message-type", message_type)], payload)


def raw_frame(headers: list[Header], payload: bytes) -> bytes:
    block = b"".join(bytes([len(name)]) + name + bytes([kind]) + value for name, kind, value in headers)
    return sealed(block, payload)


def sealed(block: bytes, payload: bytes) -> bytes:
    """A frame with right lengths and checksums round any block of headers."""
    body = prelude(16 + len(block) + len(payload), len(block)) + block + payload
    return body + crc32(body).to_bytes(4)


def prelude(total: int, headers: int) -> bytes:
    lengths = total.to_bytes(4) + headers.to_bytes(4)
    return lengths + crc32(lengths).to_bytes(4)
