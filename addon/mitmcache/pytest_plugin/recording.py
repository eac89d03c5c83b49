"""Writes a test's recording from what the proxy has kept: scrubbed, checked, and whole or not at all."""

import io
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mitmcache.bundle.file import BundleWriter, Member, read_bundle
from mitmcache.cache import record
from mitmcache.cache.record import Record
from mitmcache.pytest_plugin import scrub
from mitmcache.store.names import Names

type Scrub = Callable[[bytes], bytes]


class Leak(Exception):
    """A secret would be in the recording; names the variable, never its value."""


def write(
    source: Path, target: Path, notes: Mapping[str, Any], hidden: Mapping[str, str], also: Scrub
) -> int:
    """Returns how many answers it holds. `hidden` are secrets by the names of their variables.

    Raises Leak, and OSError where the target cannot be written.
    """
    names = Names()
    made = io.BytesIO()
    writer = BundleWriter(made)
    count = 0
    with source.open("rb") as file:
        for part in read_bundle(file):
            assert isinstance(part, Member)
            kept = _scrubbed(record.decode(_read(part), part.key), hidden, also)
            blob = record.encode(kept)
            writer.add(names.entry(part.key, kept.about), len(blob), kept.created, io.BytesIO(blob))
            count += 1
    text = json.dumps(notes, sort_keys=True, indent=1).encode() + b"\n"
    _check("its requests", text, hidden)
    writer.notes(text)
    writer.close()
    _put(target, made.getvalue())
    return count


def _read(part: Member) -> bytes:
    pieces = []
    while piece := part.file.read(1 << 20):
        pieces.append(piece)
    return b"".join(pieces)


def _scrubbed(found: Record, hidden: Mapping[str, str], also: Scrub) -> Record:
    def clean(data: bytes) -> bytes:
        return also(scrub.scrubbed(data, hidden))

    headers = tuple((name, _text(clean(_bytes(value)))) for name, value in found.headers)
    kept = replace(found, headers=headers, body=clean(found.body), generation=0)
    for _, value in kept.headers:
        _check("a header of an answer", _bytes(value), hidden)
    _check(f"an answer of {kept.host}", kept.body, hidden)
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
