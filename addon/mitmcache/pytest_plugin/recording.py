"""Writes a test's recording from what the proxy has kept: scrubbed, checked, and whole or not at all."""

import io
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mitmcache.bundle.file import BundleWriter, Member, read_bundle
from mitmcache.bundle.notes import Notes
from mitmcache.cache import record
from mitmcache.cache.record import Record
from mitmcache.pytest_plugin import scrub
from mitmcache.reading import transcript
from mitmcache.store.names import Names

type Scrub = Callable[[bytes], bytes]


class Leak(Exception):
    """A secret would be in the recording; names the variable, never its value."""


@dataclass(frozen=True, slots=True)
class Written:
    """How many answers it holds, and the variables whose values were taken out of them."""

    answers: int
    replaced: list[str]


def write(source: Path, target: Path, notes: Notes, hidden: Mapping[str, str], also: Scrub) -> Written:
    """`hidden` are secrets by the names of their variables. The same calls with the same answers make the
    same bytes, whenever they were made.

    Raises Leak, and OSError where the target cannot be written.
    """
    names = Names()
    made = io.BytesIO()
    writer = BundleWriter(made)
    count, replaced = 0, set[str]()
    with source.open("rb") as file:
        for part in read_bundle(file):
            assert isinstance(part, Member)
            found = record.decode(_read(part), part.key)
            kept = _scrubbed(found, hidden, also)
            replaced |= set(scrub.found(found.body, hidden))
            blob = record.encode(kept)
            writer.add(names.entry(part.key, kept.about), len(blob), kept.created, io.BytesIO(blob))
            count += 1
    text = notes.text()
    _check("its requests", text, hidden)
    writer.notes(text)
    writer.close()
    _put(target, made.getvalue())
    return Written(count, sorted(replaced))


def _read(part: Member) -> bytes:
    pieces = []
    while piece := part.file.read(1 << 20):
        pieces.append(piece)
    return b"".join(pieces)


def _scrubbed(found: Record, hidden: Mapping[str, str], also: Scrub) -> Record:
    def clean(data: bytes) -> bytes:
        return also(scrub.scrubbed(data, hidden))

    headers = tuple((name, _text(clean(_bytes(value)))) for name, value in found.headers)
    # when it was made is not kept: whoever replays is told that it is new
    kept = replace(found, headers=headers, body=clean(found.body), created=0, expires=0, generation=0)
    for _, value in kept.headers:
        _check("a header of an answer", _bytes(value), hidden)
    _check(f"an answer of {kept.host}", kept.body, hidden)
    # a stream says it in pieces
    said = transcript.of_reply(kept.dialect, kept.headers, kept.body) or ""
    _check(f"an answer of {kept.host}", _bytes(said), hidden)
    return kept


def _check(where: str, data: bytes, hidden: Mapping[str, str]) -> None:
    if names := scrub.found(data, hidden):
        raise Leak(f"{where} holds the value of {', '.join(names)}")


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _put(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
