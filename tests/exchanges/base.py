"""The shape of a hand-written exchange, and how its parts are written down."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

from mitmcache.exchange import Headers

WORD = b"hello"
"""Every request body of this package holds this word once or more: see Exchange.saying."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to a provider and what it answers, in the provider's own wire form.

    `target` is path and query. Exactly one of `reply` and `events` is set; an event is one write of the
    server. `terminal` is the number of events after which the answer is whole.
    """

    name: str
    dialect: str
    host: str
    target: str
    body: bytes = field(repr=False)
    reply: bytes = field(default=b"", repr=False)
    events: tuple[bytes, ...] = field(default=(), repr=False)
    reply_type: str = "application/json"
    reply_headers: Headers = ()
    headers: Headers = ()
    method: str = "POST"
    scheme: str = "https"
    terminal: int = 0
    """0: the last event."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}{self.target}"

    @property
    def answer(self) -> bytes:
        """The whole body of the reply."""
        return self.reply or b"".join(self.events)

    def saying(self, word: str) -> "Exchange":
        """The same exchange about another word (of letters and digits): another key in any cache."""
        return replace(self, body=self.body.replace(WORD, word.encode()))

    def bearing(self, **headers: str) -> "Exchange":
        """The same exchange with other values of these request headers; `_` in a name stands for `-`."""
        new = {name.replace("_", "-"): value for name, value in headers.items()}
        kept = tuple(pair for pair in self.headers if pair[0] not in new)
        return replace(self, headers=(*kept, *new.items()))


JSON: Headers = (("content-type", "application/json"),)
BEARER: Headers = (*JSON, ("authorization", "Bearer test-key-one"))


def dump(document: Any) -> bytes:
    """JSON as most providers write it."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def sse(*documents: Any, done: bool = False, newline: str = "\n") -> tuple[bytes, ...]:
    """One data-only event per document, and `[DONE]` if the dialect has it."""
    lines = [b"data: " + (item if isinstance(item, bytes) else dump(item)) for item in documents]
    end = (newline * 2).encode()
    return tuple(line + end for line in [*lines, *([b"data: [DONE]"] if done else [])])


def named_sse(*events: tuple[str, Any]) -> tuple[bytes, ...]:
    """Events with an `event:` line."""
    return tuple(b"event: " + name.encode() + b"\ndata: " + dump(data) + b"\n\n" for name, data in events)


def typed_sse(*documents: dict[str, Any]) -> tuple[bytes, ...]:
    """Events whose name is the document's own `type`."""
    return named_sse(*((document["type"], document) for document in documents))


def ndjson(*documents: Any) -> tuple[bytes, ...]:
    return tuple(dump(document) + b"\n" for document in documents)


def multipart(boundary: str, *parts: tuple[str, str, str, bytes]) -> bytes:
    """Parts are (name, file name or "", content type or "", content)."""
    out = b""
    for name, filename, kind, content in parts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        head += f'; filename="{filename}"' if filename else ""
        head += f"\r\nContent-Type: {kind}" if kind else ""
        out += head.encode() + b"\r\n\r\n" + content + b"\r\n"
    return out + f"--{boundary}--\r\n".encode()
