"""What a call and its answer said, word for word, as a JSON line."""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from mitmcache.logs.line import plain
from mitmcache.wire.coding import CodingError, Decoder

LONGEST = 1 << 20
"""Bytes of one body, decoded; of a longer one this is its beginning."""
STEP = 4096
ROOM = 16 << 20
"""Bytes that a step may come to."""

_STEERING = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xaf]|\xe2\x81[\xa0-\xaf]|\xd8\x9c|\xef\xbb\xbf")


@dataclass(frozen=True, slots=True)
class Body:
    """As sent; of the headers no more than says how to read it."""

    data: bytes = field(repr=False)
    media_type: str
    coding: str


@dataclass(frozen=True, slots=True)
class Said:
    """Times in Unix seconds. `answer` None: nothing came, or nobody kept it."""

    at: float
    id: str
    provider: str
    dialect: str
    model: str
    word: str
    status: int
    question: Body
    answer: Body | None

    @property
    def size(self) -> int:
        return len(self.question.data) + (len(self.answer.data) if self.answer else 0) + 1024


def line(said: Said) -> bytes:
    """With its newline; `id` is that of the call's line in the log.

    A body of JSON is that JSON, other text a string, and of what is no text only the size is told.
    """
    document: dict[str, Any] = {
        "timestamp": datetime.fromtimestamp(said.at, UTC),
        "id": said.id,
        "provider": said.provider,
        "dialect": said.dialect,
        "model": plain(said.model),
        "word": said.word,
        "status": said.status or None,
        "request": _told(said.question),
        "response": _told(said.answer) if said.answer else None,
    }
    packed = orjson.dumps(document, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)
    return _STEERING.sub(_escaped, packed)


def _told(body: Body) -> dict[str, Any]:
    data, whole = _decoded(body)
    told: dict[str, Any] = {"content_type": plain(body.media_type), "size": len(body.data)}
    if not whole:
        told["truncated"] = True
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        # cut in the middle of a character
        if whole or error.start < len(data) - 3:
            return {**told, "binary": True}
        text = data[: error.start].decode()
    if whole:
        # one that is nested too deeply to be written again stays a string
        with suppress(orjson.JSONDecodeError, orjson.JSONEncodeError):
            return {**told, "body": orjson.Fragment(orjson.dumps(orjson.loads(data)))}
    return {**told, "body": text}


def _decoded(body: Body) -> tuple[bytes, bool]:
    """As much as may be shown, and whether that is all."""
    if body.coding.strip().lower() in ("", "identity"):
        return body.data[:LONGEST], len(body.data) <= LONGEST
    decoded = bytearray()
    try:
        decoder = Decoder(body.coding, limit=LONGEST + ROOM)
        for start in range(0, len(body.data), STEP):
            decoded += decoder.feed(body.data[start : start + STEP])
            if len(decoded) > LONGEST:
                break
        else:
            decoder.close()
            return bytes(decoded), True
    except CodingError:
        pass
    return bytes(decoded[:LONGEST]), False


def _escaped(match: re.Match[bytes]) -> bytes:
    return b"".join(b"\\u%04x" % ord(mark) for mark in match[0].decode())
