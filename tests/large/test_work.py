"""The work itself, in this process; tests/large/test_worker.py does it in another."""

import gzip
import random
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from exchanges.openai import CHAT_STREAM
from made import NOW
from mitmcache.cache import record
from mitmcache.cache.record import Meta
from mitmcache.exchange import Headers
from mitmcache.large import work as working
from mitmcache.large.work import Job, served_by, work
from mitmcache.providers import catalogue
from mitmcache.providers.base import Provider
from mitmcache.reasons import Reason

KEY = "ab" * 32
EVENTS: Headers = (("content-type", "text/event-stream"),)
JSON: Headers = (("content-type", "application/json"),)
AUDIO: Headers = (("content-type", "audio/mpeg"),)
STREAM = CHAT_STREAM.answer
NOISE = random.Random(7).randbytes(3 << 20)


def job(folder: Path, body: bytes, headers: Headers, dialect: str = "openai.chat", **changes: object) -> Job:
    (folder / "source").write_bytes(body)
    meta = Meta(
        key=KEY,
        provider="openai",
        dialect=dialect,
        model="m-\udcff",
        created=NOW,
        expires=NOW + 60,
        status=200,
        headers=(("content-type", "x"), ("content-disposition", "attachment; filename=\udcff")),
        host="api.openai.com",
        tags=("a", "b"),
        generation=7,
    )
    plain = Job(
        source=str(folder / "source"),
        target=str(folder / "target"),
        limit=64 << 20,
        done_optional=False,
        headers=headers,
        framed=True,
        clean_end=True,
        judged=False,
        meta=meta,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_a_job_survives_the_way_to_another_process(tmp_path: Path) -> None:
    made = job(tmp_path, b"", EVENTS)
    assert Job.from_json(made.as_json()) == made


KEPT = [
    pytest.param(STREAM, EVENTS, {}, id="a stream"),
    pytest.param(gzip.compress(STREAM), (*EVENTS, ("content-encoding", "gzip")), {}, id="a coded stream"),
    pytest.param(NOISE, AUDIO, {"dialect": "openai.audio.speech"}, id="audio, which does not shrink"),
    pytest.param(b'{"data":[{"embedding":[1]}]}', JSON, {"dialect": "openai.embeddings"}, id="a document"),
    pytest.param(STREAM, JSON, {}, id="a stream that is called a document"),
    pytest.param(STREAM, EVENTS, {"clean_end": False}, id="a stream whose client left after its end"),
    pytest.param(b"no stream", EVENTS, {"judged": True}, id="what was judged before"),
]


@pytest.mark.parametrize(("body", "headers", "changes"), KEPT)
def test_what_is_admitted_becomes_the_record_that_the_codec_would_make(
    body: bytes, headers: Headers, changes: dict[str, object], tmp_path: Path
) -> None:
    made = job(tmp_path, body, headers, **changes)  # type: ignore[arg-type]
    size = work(made)
    blob = Path(made.target).read_bytes()
    found = record.decode(blob, KEY)
    plain = gzip.decompress(body) if "gzip" in dict(headers).values() else body
    assert (size, found.body) == (len(blob), plain)
    assert all(getattr(found, name) == getattr(made.meta, name) for name in Meta.__dataclass_fields__)


DROPPED = [
    pytest.param(STREAM[:-14], EVENTS, {}, Reason.INCOMPLETE, id="a cut stream"),
    pytest.param(STREAM[:-14], EVENTS, {"clean_end": False}, Reason.INCOMPLETE, id="one whose client left"),
    pytest.param(b'{"error":{"message":"no"}}', JSON, {}, Reason.ERROR, id="an error"),
    pytest.param(b"{", JSON, {}, Reason.NOT_JSON, id="half a document"),
    pytest.param(b"", EVENTS, {}, Reason.EMPTY, id="nothing"),
    pytest.param(
        NOISE, AUDIO, {"dialect": "openai.audio.speech", "framed": False}, Reason.INCOMPLETE, id="no end"
    ),
    pytest.param(STREAM, EVENTS, {"limit": len(STREAM) - 1}, Reason.TOO_LARGE, id="more than the limit"),
    pytest.param(STREAM, (*EVENTS, ("content-encoding", "br")), {}, Reason.ENCODING, id="another coding"),
    pytest.param(
        gzip.compress(STREAM)[:-9],
        (*EVENTS, ("content-encoding", "gzip")),
        {},
        Reason.ENCODING,
        id="a cut coding",
    ),
]


@pytest.mark.parametrize(("body", "headers", "changes", "reason"), DROPPED)
def test_what_is_not_admitted_leaves_no_record(
    body: bytes, headers: Headers, changes: dict[str, object], reason: Reason, tmp_path: Path
) -> None:
    made = job(tmp_path, body, headers, **changes)  # type: ignore[arg-type]
    assert work(made) is reason
    assert not Path(made.target).exists()


@pytest.mark.parametrize(("body", "coding"), [(NOISE, "raw"), (b"a word and " * 9999, "zstd")])
def test_a_body_is_packed_where_that_makes_it_smaller(body: bytes, coding: str, tmp_path: Path) -> None:
    made = job(tmp_path, body, AUDIO, "openai.audio.speech")
    size = work(made)
    assert record.read_head(Path(made.target).read_bytes()).coding == coding
    assert isinstance(size, int) and (size < len(body)) is (coding == "zstd")


def test_a_stream_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "READ", 7)
    made = job(tmp_path, STREAM, EVENTS)
    work(made)
    assert record.decode(Path(made.target).read_bytes(), KEY).body == STREAM


def test_a_provider_that_needs_no_end_mark_needs_none_here(tmp_path: Path) -> None:
    ended = b"".join(event for event in CHAT_STREAM.events if b"[DONE]" not in event)
    assert work(job(tmp_path, ended, EVENTS)) is Reason.INCOMPLETE
    assert isinstance(work(job(tmp_path, ended, EVENTS, done_optional=True)), int)


@pytest.mark.parametrize(
    "spec", ["llm.corp.example=ollama", "llm.corp.example=anthropic", "a.example=bedrock"]
)
def test_what_the_users_own_hosts_speak_is_found_by_name(spec: str) -> None:
    _, provider = catalogue.user_host(spec)
    for _, _, dialect in provider.operations:
        found, spoken = served_by(provider.name, dialect.name, provider.done_optional)
        assert spoken is dialect and found.done_optional is provider.done_optional


@pytest.mark.parametrize("provider", catalogue.PROVIDERS, ids=lambda provider: provider.name)
def test_what_every_provider_speaks_is_found_by_name(provider: Provider) -> None:
    for _, _, dialect in provider.operations:
        assert served_by(provider.name, dialect.name, provider.done_optional)[1] is dialect


def test_a_name_that_nobody_has_is_an_error() -> None:
    with pytest.raises(KeyError):
        served_by("openai", "no.such", False)


def test_a_document_of_another_form_is_judged_by_its_dialect(tmp_path: Path) -> None:
    body = orjson.dumps({"choices": [{"finish_reason": "content_filter"}]})
    assert work(job(tmp_path, body, JSON)) is Reason.CONTENT_FILTER
