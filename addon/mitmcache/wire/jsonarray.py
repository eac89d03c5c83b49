"""One JSON array sent piece by piece, as Gemini's `streamGenerateContent` does without `alt=sse`."""

import re
from enum import Enum, auto

from mitmcache.wire.events import Event

_SPACE = re.compile(rb"[ \t\r\n]*+")
_SCALAR = re.compile(rb"[^ \t\r\n,\[\]{}\":]*+")
# From inside a string to its closing quote, a cut escape, or the end of the bytes.
_TEXT = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
# From outside any string over the next bracket, or over the quote of a string whose end has not come. The
# mark is optional so that every search matches where it begins: one that moved on would enter a string.
_MARK = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+(["\[\]{}])?', re.DOTALL)
_OPENING, _CLOSING = frozenset(b"[{"), frozenset(b"]}")


class _At(Enum):
    """What the grammar expects at the read position."""

    OPEN = auto()  # the array's [
    FIRST = auto()  # an element, or the ] of an empty array
    VALUE = auto()  # an element
    SCALAR = auto()  # more of a number, true, false or null
    TEXT = auto()  # more of a string
    PLAIN = auto()  # more of an object or array, outside its strings
    NEXT = auto()  # a comma, or the ]
    END = auto()  # nothing but white space


class JsonArrayReader:
    """Gives each element of the one top-level array, as its own bytes, as soon as it is complete.

    Finds where elements end; that they are JSON inside is for their reader to see. `broken` where the bytes
    are no array, where an element outgrows `limit` bytes, and after `close` where the `]` has not come.
    """

    def __init__(self, limit: int = 64 << 20) -> None:
        self._limit = limit
        self._buffer = bytearray()  # from the start of the current element
        self._at = _At.OPEN
        self._position = 0  # how far the buffer has been looked at
        self._depth = 0  # brackets open inside the current element
        self._broken = False

    @property
    def broken(self) -> bool:
        return self._broken

    @property
    def closed(self) -> bool:
        """The array's own `]` was seen."""
        return self._at is _At.END

    def feed(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        if self._broken:
            return events
        self._buffer += data
        while not self._broken and self._position < len(self._buffer):
            before = self._position, self._at
            if self._at in (_At.SCALAR, _At.TEXT, _At.PLAIN):
                if self._inside():
                    self._complete(events)
            else:
                self._between()
            if before == (self._position, self._at):
                break  # a cut escape: the rest decides
        if len(self._buffer) > self._limit:
            self._break()
        return events

    def close(self) -> list[Event]:
        if not self.closed:
            self._break()
        return []

    def _between(self) -> None:
        """Reads white space and one mark between elements, and forgets them."""
        position = _end(_SPACE, self._buffer, 0)
        mark = bytes(self._buffer[position : position + 1])
        if mark:
            match self._at, mark:
                case _At.OPEN, b"[":
                    self._at = _At.FIRST
                case ((_At.FIRST | _At.NEXT), b"]"):
                    self._at = _At.END
                case _At.NEXT, b",":
                    self._at = _At.VALUE
                case ((_At.FIRST | _At.VALUE), _) if mark not in b",:]}":
                    del self._buffer[:position]
                    self._begin(mark)
                    return
                case _:
                    self._break()
                    return
        del self._buffer[: position + len(mark)]
        self._position = 0

    def _begin(self, mark: bytes) -> None:
        self._depth = 1 if mark in b"{[" else 0
        self._position = 0 if mark not in b'{["' else 1
        self._at = _At.PLAIN if self._depth else _At.TEXT if mark == b'"' else _At.SCALAR

    def _inside(self) -> bool:
        """Reads on in the current element; true at its end."""
        if self._at is _At.SCALAR:
            self._position = _end(_SCALAR, self._buffer, self._position)
            return self._position < len(self._buffer)
        if self._at is _At.PLAIN:
            return self._plain()
        self._position = _end(_TEXT, self._buffer, self._position)
        if self._buffer[self._position : self._position + 1] != b'"':
            return False
        self._position += 1
        self._at = _At.PLAIN
        return self._depth == 0

    def _plain(self) -> bool:
        """Counts brackets up to the element's end, a string that is not whole yet, or the last bracket."""
        for found in _MARK.finditer(self._buffer, self._position):
            self._position = found.end()
            if not found[1]:
                return False
            mark = found[1][0]
            if mark in _OPENING:
                self._depth += 1
            elif mark in _CLOSING:
                self._depth -= 1
                if self._depth == 0:
                    return True
            else:
                self._at = _At.TEXT
                return False
        return False

    def _complete(self, events: list[Event]) -> None:
        if self._position > self._limit:
            self._break()
            return
        events.append(Event("", bytes(self._buffer[: self._position])))
        del self._buffer[: self._position]
        self._position = 0
        self._at = _At.NEXT

    def _break(self) -> None:
        self._broken = True
        self._buffer.clear()


def _end(pattern: re.Pattern[bytes], buffer: bytearray, start: int) -> int:
    found = pattern.match(buffer, start)
    return found.end() if found else start
