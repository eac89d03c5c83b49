"""Newline-delimited JSON: one document per line."""

from mitmcache.wire.events import Event


class NdjsonReader:
    """Splits at LF or CRLF; blank lines are nothing. `broken` only where a line outgrows `limit` bytes.

    That a line is JSON is for its reader to see. The last line needs no LF.
    """

    def __init__(self, limit: int = 64 << 20) -> None:
        self._limit = limit
        self._tail = bytearray()  # the unfinished line
        self._broken = False

    @property
    def broken(self) -> bool:
        return self._broken

    def feed(self, data: bytes) -> list[Event]:
        if self._broken:
            return []
        end = data.rfind(b"\n")
        if end < 0:
            self._tail += data
            lines = []
        else:
            lines = (bytes(self._tail) + data[:end]).split(b"\n")
            self._tail = bytearray(data[end + 1 :])
        return self._events(lines)

    def close(self) -> list[Event]:
        last = bytes(self._tail)
        self._tail.clear()
        return [] if self._broken else self._events([last])

    def _events(self, lines: list[bytes]) -> list[Event]:
        events: list[Event] = []
        for line in lines:
            if len(line) > self._limit:
                self._broken = True
                break
            line = line.removesuffix(b"\r")
            if line.strip():
                events.append(Event("", line))
        if len(self._tail) > self._limit:
            self._broken = True
        if self._broken:
            self._tail.clear()
        return events
