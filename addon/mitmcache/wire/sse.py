"""Server-sent events, as the WHATWG HTML standard (9.2.6) parses them.

Some things differ, because real servers do: the end of the stream dispatches an event whose blank line is
missing (`data: [DONE]` often comes so); a field named `error`, which llama.cpp and its descendants write in
the place of `data`, is an error event of its own; and so is a line that begins a JSON document: Google's
servers say so, without any field, that they give up half way. `id` and `retry` mean nothing for one reply.
"""

from itertools import takewhile

from mitmcache.wire.events import Event

_BOM = b"\xef\xbb\xbf"
_JSON = (b"{", b"[{")
_PER_LINE = 64  # what keeping one more data line costs beside its bytes


class SseReader:
    """Splits a `text/event-stream` body. `broken` only where a line or an event outgrows `limit` bytes."""

    def __init__(self, limit: int = 64 << 20) -> None:
        self._limit = limit
        self._tail = bytearray()  # the unfinished line
        self._after_cr = False  # a LF that comes next belongs to a CR that already ended its line
        self._started = False
        self._name = b""
        self._data: list[bytes] = []
        self._size = 0
        self._broken = False

    @property
    def broken(self) -> bool:
        return self._broken

    def feed(self, data: bytes) -> list[Event]:
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if self._broken or not data:
            return []
        if b"\n" not in data and b"\r" not in data:
            self._tail += data
            if len(self._tail) > self._limit:
                self._break()
            return []
        text = bytes(self._tail) + data if self._tail else data
        self._tail.clear()
        self._after_cr = text.endswith(b"\r")
        lines = text.splitlines()
        if not text.endswith((b"\n", b"\r")):
            self._tail += lines.pop()
        return self._read(lines, longest=max(len(text), len(self._tail)))

    def close(self) -> list[Event]:
        lines = [bytes(self._tail), b""]  # a missing last line end, and a missing blank line
        self._tail.clear()
        return [] if self._broken else self._read(lines, longest=0)

    def _read(self, lines: list[bytes], longest: int) -> list[Event]:
        if not self._started and lines:
            self._started = True
            lines[0] = lines[0].removeprefix(_BOM)
        events: list[Event] = []
        if longest <= self._limit:
            self._parse(lines, events)
            return events
        fitting = list(takewhile(lambda line: len(line) <= self._limit, lines))
        self._parse(fitting, events)
        if len(fitting) < len(lines) or len(self._tail) > self._limit:
            self._break()
        return events

    def _parse(self, lines: list[bytes], events: list[Event]) -> None:
        for line in lines:
            if not line:
                if self._data:
                    events.append(self._event())
                self._name = b""
                continue
            field, _, value = line.partition(b":")
            if value[:1] == b" ":
                value = value[1:]
            if field == b"data":
                self._data.append(value)
                self._size += len(value) + _PER_LINE
                if self._size > self._limit and len(self._data) > 1:
                    self._break()
                    return
            elif field == b"event":
                self._name = value
            elif field == b"error":
                events.append(Event("", value, error=True))
            elif line.startswith(_JSON):
                events.append(Event("", line, error=True))

    def _event(self) -> Event:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data = []
        self._size = 0
        return Event(self._name.decode(errors="replace"), data)

    def _break(self) -> None:
        self._broken = True
        self._tail.clear()
        self._data = []
