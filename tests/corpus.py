"""The corpus of recorded LLM traffic, for tests that read it. Without it they skip."""

import base64
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

type Entry = dict[str, Any]
"""One recorded exchange; the corpus' README gives its fields. Shared between tests: not to be changed."""

_DEFAULT = Path(__file__).parents[2] / "shared" / "corpus"


def corpus_dir() -> Path | None:
    """`MITMCACHE_CORPUS`, else `../shared/corpus` beside the repository; None where that is no folder."""
    named = Path(os.environ.get("MITMCACHE_CORPUS") or _DEFAULT)
    return named if named.is_dir() else None


def entries(sub: str = "dev") -> Iterator[Entry]:
    """Every exchange of a part of the corpus, in the order of its files; none without a corpus."""
    folder = corpus_dir()
    if folder:
        yield from _load(folder / sub)


def body_of(part: Entry) -> bytes:
    """The body of an entry's `request` or `response`, as it was on the wire, codings included."""
    encoded = part.get("body_b64")
    if encoded is not None:
        return base64.b64decode(encoded)
    text: str = part.get("body") or ""
    return text.encode()


@lru_cache
def _load(folder: Path) -> tuple[Entry, ...]:
    files = sorted(folder.glob("*.jsonl"))
    return tuple(orjson.loads(line) for file in files for line in file.read_bytes().splitlines())
