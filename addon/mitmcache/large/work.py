"""From a spooled body to a record file, or to the reason why there is none. For a process of its own.

Two passes, so that neither the encoded nor the decoded body is ever held as a whole, unless it is a JSON
document, which has to be parsed: the first judges, the second packs.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from mitmcache.cache import admit, record
from mitmcache.cache.record import Coding, Meta
from mitmcache.exchange import Call, Headers, Reply, header
from mitmcache.providers import catalogue, openai
from mitmcache.providers.base import Dialect, Provider
from mitmcache.reasons import Reason
from mitmcache.wire.coding import CodingError, Decoder, TooLarge

READ = 64 << 10
SAMPLE = 1 << 20
"""Bytes that tell whether a body is worth packing."""
_LEVEL = 3
_WORTH = 0.9


@dataclass(frozen=True, slots=True)
class Job:
    """`source` is the body as it was sent, `target` the record to write: names of files.

    `headers` and `framed` are the reply's; `clean_end` and `judged` the candidate's; `done_optional` is the
    provider's; `limit` is in bytes, decoded.
    """

    source: str
    target: str
    limit: int
    done_optional: bool
    headers: Headers
    framed: bool
    clean_end: bool
    judged: bool
    meta: Meta

    def as_json(self) -> str:
        return json.dumps(asdict(self))  # ASCII: a header that is not UTF-8 holds surrogates

    @staticmethod
    def from_json(text: str) -> "Job":
        fields: dict[str, Any] = json.loads(text)
        meta = fields.pop("meta")
        for values in (fields, meta):
            values["headers"] = tuple((name, value) for name, value in values["headers"])
        meta["tags"] = tuple(meta["tags"])
        return Job(**fields, meta=Meta(**meta))


def work(job: Job) -> int | Reason:
    """The size of the record, which is then in `target`, or why it is not kept. Raises OSError."""
    try:
        size = _judged(job)
    except TooLarge:
        return Reason.TOO_LARGE
    except CodingError:
        return Reason.ENCODING
    return size if isinstance(size, Reason) else _packed(job, size)


def served_by(provider: str, dialect: str, done_optional: bool) -> tuple[Provider, Dialect]:
    """Those of the names. KeyError: there are none."""
    for each in catalogue.PROVIDERS:
        if each.name == provider:
            for _, _, spoken in (*each.operations, *_OPENAI):
                if spoken.name == dialect:
                    return replace(each, done_optional=done_optional), spoken
    raise KeyError(f"{provider} does not speak {dialect}")


# gateways speak it for all providers: see catalogue.user_host
_OPENAI = openai.operations("")


def _judged(job: Job) -> int | Reason:
    """How large the decoded body is, or why it is not kept."""
    if job.judged:
        return sum(map(len, _decoded(job)))
    provider, dialect = served_by(job.meta.provider, job.meta.dialect, job.done_optional)
    call = Call(provider, dialect, "POST", "https", job.meta.host, "", "", (), b"")
    judge = admit.judge_of(
        call, Reply(job.meta.status, job.headers, b"", job.framed), clean_end=job.clean_end
    )
    for piece in _decoded(job):
        judge.feed(piece)
    size = judge.size
    return judge.verdict() or size


def _decoded(job: Job) -> Iterator[bytes]:
    """The body without its content-encoding; what can be had of it, where the client left first."""
    decoder = Decoder(header(job.headers, "content-encoding"), limit=job.limit)
    with Path(job.source).open("rb") as source:
        while data := source.read(READ):
            if piece := decoder.feed(data):
                yield piece
    if job.clean_end:
        decoder.close()


def _packed(job: Job, size: int) -> int:
    """Writes the record behind a head that is filled in last: its length is known, the digest is not yet."""
    coding = _worth(job)
    digest = hashlib.sha256()
    with Path(job.target).open("xb") as target:
        room = len(record.head(job.meta, coding, size, record.digest(b"")))
        target.seek(room)
        for piece in _coded(job, coding, size):
            digest.update(piece)
            target.write(piece)
        end = target.tell()
        _fill_in(target, room, record.head(job.meta, coding, size, digest.hexdigest()[:32]))
        return end


def _fill_in(target: BinaryIO, room: int, head: bytes) -> None:
    if len(head) != room:
        raise ValueError("the head has not the length that was left for it")
    target.seek(0)
    target.write(head)


def _worth(job: Job) -> Coding:
    """A body whose beginning does not shrink is kept as it is."""
    sample = bytearray()
    for piece in _decoded(job):
        sample += piece
        if len(sample) >= SAMPLE:
            break
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(sample)
    return "zstd" if len(packed) < _WORTH * len(sample) else "raw"


def _coded(job: Job, coding: Coding, size: int) -> Iterator[bytes]:
    if coding == "raw":
        yield from _decoded(job)
        return
    packer = zstandard.ZstdCompressor(level=_LEVEL).compressobj(size=size)
    for piece in _decoded(job):
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()
