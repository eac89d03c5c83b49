"""What every stream reader says: bytes in, events out."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Event:
    """One message of a stream.

    `name` is the SSE event type or the AWS `:event-type` / `:exception-type` ("" where there is none).
    `data` is an SSE event's data lines joined by LF, an NDJSON line, an element of a JSON array, or an
    AWS frame's payload. `error` is true where the framing itself says so: an AWS exception frame, or, in an
    SSE stream, the `error:` field of llama.cpp's descendants or JSON outside any field, of which `data` is
    the first line.
    """

    name: str
    data: bytes
    error: bool = False


class Reader(Protocol):
    """Splits one stream. Any chunking of the same bytes gives the same events."""

    def feed(self, data: bytes) -> list[Event]:
        """Takes the next decoded bytes; gives the events that they complete."""

    def close(self) -> list[Event]:
        """The stream is over: gives what an unterminated last event still holds."""

    @property
    def broken(self) -> bool:
        """The bytes so far are not this format, or (after close) stop inside a message."""
