"""AWS event stream framing (`application/vnd.amazon.eventstream`).

A frame is: total length and headers length (4 bytes each, big-endian), CRC32 of those 8 bytes, headers,
payload, CRC32 of all before it. A header is: name length (1), name, type (1), value.
"""

from struct import Struct
from zlib import crc32

from mitmcache.wire.events import Event

_PRELUDE = Struct(">III")
_CRC = Struct(">I")
_SMALLEST = _PRELUDE.size + _CRC.size
_LARGEST = 24 << 20  # AWS's own bound on a frame

# type -> bytes of its value: true, false, byte, short, int, long, (two with a length before), timestamp, uuid
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_BYTES, _STRING = 6, 7


class EventStreamReader:
    """Splits frames; both checksums of each are verified. `broken` at the first that is wrong, for good."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._need = _PRELUDE.size  # nothing can be done with less
        self._broken = False

    @property
    def broken(self) -> bool:
        return self._broken

    def feed(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        if self._broken:
            return events
        self._buffer += data
        try:
            while len(self._buffer) >= self._need:
                total, headers = _prelude(self._buffer)
                self._need = total
                if len(self._buffer) < total:
                    break
                frame = bytes(self._buffer[:total])
                events.append(_event(frame, headers))
                del self._buffer[:total]
                self._need = _PRELUDE.size
        except ValueError:
            self._broken = True
            self._buffer.clear()
        return events

    def close(self) -> list[Event]:
        if self._buffer:
            self._broken = True
        return []


def _prelude(buffer: bytearray) -> tuple[int, int]:
    total, headers, crc = _PRELUDE.unpack_from(buffer)
    if crc32(buffer[:8]) != crc:
        raise ValueError("prelude checksum")
    if not _SMALLEST + headers <= total <= _LARGEST:
        raise ValueError("length")
    return total, headers


def _event(frame: bytes, headers_length: int) -> Event:
    if crc32(memoryview(frame)[: -_CRC.size]) != _CRC.unpack_from(frame, len(frame) - _CRC.size)[0]:
        raise ValueError("message checksum")
    start = _PRELUDE.size + headers_length
    headers = _strings(frame[_PRELUDE.size : start])
    names = (headers.get(key) for key in (":event-type", ":exception-type", ":error-code"))
    error = headers.get(":message-type") in ("exception", "error")
    return Event(next(filter(None, names), ""), frame[start : -_CRC.size], error)


def _strings(block: bytes) -> dict[str, str]:
    """The headers of type string; ValueError where the block is not headers from end to end."""
    found: dict[str, str] = {}
    position = 0
    while position < len(block):
        name, position = _sized(block, position, width=1)
        kind, position = _take(block, position, 1)
        if kind[0] in (_BYTES, _STRING):
            value, position = _sized(block, position, width=2)
            if kind[0] == _STRING:
                found[name.decode()] = value.decode()
        elif kind[0] in _FIXED:
            _, position = _take(block, position, _FIXED[kind[0]])
        else:
            raise ValueError("header type")
    return found


def _sized(block: bytes, position: int, *, width: int) -> tuple[bytes, int]:
    size, position = _take(block, position, width)
    return _take(block, position, int.from_bytes(size))


def _take(block: bytes, position: int, size: int) -> tuple[bytes, int]:
    end = position + size
    if end > len(block):
        raise ValueError("header cut")
    return block[position:end], end
