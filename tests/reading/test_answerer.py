import pytest

import exchanges
from corpus import corpus_dir
from exchanges import Exchange
from mitmcache.providers.base import Json
from mitmcache.reading.answerer import MOST, Answerer, answerer
from mitmcache.reading.documents import documents
from reading.recorded import recorded
from reading.spoilt import reply_headers

ANSWERS: list[tuple[str, list[Json], Answerer]] = [
    ("nothing", [], Answerer()),
    ("a reply", [{"model": "m-1", "service_tier": "flex"}], Answerer("m-1", "flex")),
    (
        "a stream, whose first events repeat what was asked for",
        [
            {"type": "response.created", "response": {"model": "m-1", "service_tier": "auto"}},
            {"type": "response.completed", "response": {"model": "m-1", "service_tier": "priority"}},
        ],
        Answerer("m-1", "priority"),
    ),
    (
        "Claude's first event",
        [{"message": {"model": "c", "usage": {"service_tier": "priority"}}}, {}],
        Answerer("c", "priority"),
    ),
    (
        "Claude's fast mode",
        [{"model": "c", "usage": {"service_tier": "standard", "speed": "fast"}}],
        Answerer("c", "fast"),
    ),
    (
        "the usual tier",
        [{"model": "c", "usage": {"service_tier": "standard", "speed": "standard"}}],
        Answerer("c", ""),
    ),
    ("Gemini", [{"modelVersion": "g-1"}], Answerer("g-1")),
    (
        "Gemini's tier",
        [{"modelVersion": "g", "usageMetadata": {"serviceTier": "flex"}}],
        Answerer("g", "flex"),
    ),
    ("Gemini's usual tier", [{"usageMetadata": {"serviceTier": "standard"}}], Answerer()),
    (
        "Converse's tier",
        [{"stopReason": "end_turn"}, {"serviceTier": {"type": "flex"}}],
        Answerer("", "flex"),
    ),
    ("no text", [{"model": 1, "service_tier": ["flex"]}, [], None, "model", 3], Answerer()),
    ("too long a name", [{"model": "m" * (MOST + 1)}], Answerer()),
]


@pytest.mark.parametrize(("read", "told"), [pytest.param(*case[1:], id=case[0]) for case in ANSWERS])
def test_an_answer_names_its_model_and_tier(read: list[Json], told: Answerer) -> None:
    assert answerer([("", document) for document in read]) == told


@pytest.mark.parametrize("exchange", exchanges.ALL, ids=lambda e: e.name)
def test_the_answers_of_every_dialect_can_be_looked_at(exchange: Exchange) -> None:
    read, _ = documents(exchange.dialect, reply_headers(exchange), exchange.answer)
    assert isinstance(answerer(read), Answerer)


@pytest.mark.skipif(corpus_dir() is None, reason="no corpus")
def test_nearly_all_recorded_chats_name_their_model() -> None:
    nameless = [
        reply.id
        for reply in recorded()
        if reply.dialect in ("openai.chat", "openai.responses", "anthropic.messages")
        and not answerer(documents(reply.dialect, reply.headers, reply.body)[0]).model
    ]
    assert len(nameless) <= 4
