"""The recorded traffic: what is found, and every reply that is not kept, with the reason why."""

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from corpus import body_of, corpus_dir, entries
from mitmcache.cache.prune import prune
from mitmcache.providers.base import Dialect, Json, Provider
from mitmcache.providers.catalogue import find, user_host
from mitmcache.providers.tools import parse
from mitmcache.reasons import Reason
from mitmcache.wire.coding import decode
from mitmcache.wire.events import Reader
from mitmcache.wire.eventstream import EventStreamReader
from mitmcache.wire.ndjson import NdjsonReader
from mitmcache.wire.sse import SseReader

pytestmark = pytest.mark.skipif(corpus_dir() is None, reason="no corpus")

type Entry = dict[str, Any]

OWN = [
    user_host(spec)
    for spec in (
        "gpustack.test=vllm",
        "api.portkey.ai=openai",
        "0.0.0.0:4000=openai",
        "localhost:8000=openai",
        "localhost:8787=openai",
        "localhost:8787=anthropic",
        "localhost:8787=bedrock",
    )
]
"""The corpus' gateways and home-made servers, as their owners would name them."""

DIALECTS = {
    "": {
        "messages": "anthropic.messages",
        "messages.count_tokens": "anthropic.count_tokens",
        "complete": "anthropic.complete",
        "chat.completions": "openai.chat",
        "completions": "openai.completions",
        "responses": "openai.responses",
        "responses.input_tokens": "openai.responses.input_tokens",
        "embeddings": "openai.embeddings",
        "moderations": "openai.moderations",
        "images": "openai.images",
        "images.edits": "openai.images",
        "audio.speech": "openai.audio.speech",
        "audio.transcriptions": "openai.audio.transcriptions",
        "rerank": "rerank",
        "ocr": "ocr",
        "tokenize": "tokenize",
        "embed": "cohere.embed",
        "generate": "cohere.v1.chat",
        "bedrock.converse": "bedrock.converse",
        "bedrock.converse-stream": "bedrock.converse",
        "bedrock.invoke": "bedrock.invoke",
        "bedrock.invoke-with-response-stream": "bedrock.invoke",
        "bedrock.count-tokens": "bedrock.count_tokens",
        "generateContent": "gemini.generate",
        "streamGenerateContent": "gemini.generate",
        "batchEmbedContents": "gemini.embed",
        "countTokens": "gemini.count_tokens",
        "predict": "gemini.predict",
        "interactions": "gemini.interactions",
        "ollama.chat": "ollama.chat",
        "ollama.generate": "ollama.chat",
        "hf.pipeline": "hf.task",
    },
    "cohere": {"chat": "cohere.v2.chat"},
    "huggingface": {"other": "hf.task"},
    "gateway": {"other": "bedrock.converse"},
}
"""Provider ("" for any) and operation in the corpus -> dialect; what is not here is none of ours."""

OUTSIDE = {"aleph_alpha", "deepgram", "sagemaker", "non_llm", "bedrock_agent"}
"""Providers that the catalogue leaves out, and traffic that is no model's."""


def target(entry: Entry) -> tuple[str, str, str]:
    url = urlsplit(entry["request"]["url"])
    return url.netloc, entry["request"]["method"], unquote(url.path)


def expected(entry: Entry) -> str | None:
    if entry["provider"] in OUTSIDE or entry["request"]["method"] != "POST":
        return None
    if entry["provider"] == "cohere" and target(entry)[2] == "/v1/chat":
        return "cohere.v1.chat"
    own = DIALECTS.get(entry["provider"], {})
    return own.get(entry["operation"]) or DIALECTS[""].get(entry["operation"])


READERS: dict[str, Callable[[], Reader]] = {
    "sse": SseReader,
    "ndjson": NdjsonReader,
    "eventstream": EventStreamReader,
}


def decoded(entry: Entry) -> bytes:
    body = body_of(entry["response"])
    names = [value for name, value in entry["response"]["headers"] if name.lower() == "content-encoding"]
    return decode(body, ", ".join(names), 64 << 20) if names else body


def verdict(entry: Entry, provider: Provider, dialect: Dialect) -> Reason | None:
    body = decoded(entry)
    form = entry["stream_format"]
    if form and form != "json-array":  # which is one JSON document
        assert dialect.listen, dialect.name
        listener, frames = dialect.listen(provider), READERS[form]()
        for event in [*frames.feed(body), *frames.close()]:
            listener.hear(event)
        assert not frames.broken, entry["id"]
        return listener.verdict(clean_end=True)
    try:
        document = parse(body)
    except ValueError:
        return None if dialect.opaque else Reason.NOT_JSON
    return dialect.judge(document)


def test_every_inference_call_is_found_with_its_dialect_and_nothing_else_is() -> None:
    wrong = []
    for entry in entries():
        found = find(*target(entry), OWN)
        name = found[1].name if found else None
        if name != expected(entry):
            wrong.append((entry["id"], entry["provider"], entry["operation"], target(entry), name))
    assert wrong == []


KEPT_NOT = {
    # Azure's content filter, once as a finish reason and once as a 200 with an error object
    ("azure.ai.openai", "openai.chat", Reason.CONTENT_FILTER): 1,
    ("azure.ai.openai", "openai.chat", Reason.ERROR): 1,
    # a guardrail stepped in, in a reply and in a stream
    ("aws.bedrock", "bedrock.converse", Reason.CONTENT_FILTER): 2,
    ("aws.bedrock", "bedrock.invoke", Reason.CONTENT_FILTER): 2,
    # a prompt refused for its safety, and one refused by Model Armor
    ("gcp.gemini", "gemini.generate", Reason.CONTENT_FILTER): 1,
    ("gcp.vertex_ai", "gemini.generate", Reason.CONTENT_FILTER): 1,
    # UNEXPECTED_TOOL_CALL: the model called a function that nobody declared
    ("gcp.vertex_ai", "gemini.generate", Reason.TOOL_ARGUMENTS): 1,
    # an agent at work in the background, and a stream whose interaction ran out of tokens
    ("gcp.gemini", "gemini.interactions", Reason.INCOMPLETE): 2,
    # Groq's `event: error` after a 200: the tool call failed its validation
    ("groq", "openai.chat", Reason.ERROR): 2,
    # an error object among the chunks, after a finish reason and before `[DONE]`
    ("openrouter", "openai.chat", Reason.ERROR): 1,
    # an `error:` line of a llama.cpp descendant
    ("vllm", "openai.chat", Reason.ERROR): 1,
    # four responses queued in the background, and a stream with response.incomplete
    ("openai", "openai.responses", Reason.INCOMPLETE): 5,
    # images by URLs that expire
    ("openai", "openai.images", Reason.SIGNED_URL): 4,
    ("x_ai", "openai.images", Reason.SIGNED_URL): 2,
}


def test_every_200_is_kept_but_these() -> None:
    count: Counter[tuple[str, str, Reason]] = Counter()
    for entry in entries():
        found = find(*target(entry), OWN)
        if found and entry["response"]["status"] == 200 and (reason := verdict(entry, *found)):
            count[found[0].name, found[1].name, reason] += 1
    assert count == KEPT_NOT


def test_no_error_status_holds_what_would_pass_for_an_answer() -> None:
    passed = [
        entry["id"]
        for entry in entries()
        if (found := find(*target(entry), OWN))
        and entry["response"]["status"] >= 400
        and verdict(entry, *found) is None
    ]
    assert passed == []


REFUSED = {
    ("anthropic.messages", Reason.CONTAINER): 5,
    ("gemini.interactions", Reason.BACKGROUND): 1,
    ("openai.images", Reason.SIGNED_URL): 1,
    ("openai.responses", Reason.BACKGROUND): 7,
}


def request_json(entry: Entry) -> Json:
    try:
        return parse(body_of(entry["request"]))
    except ValueError:
        return None


def test_every_request_is_looked_up_but_these() -> None:
    count: Counter[tuple[str, Reason]] = Counter()
    for entry in entries():
        found = find(*target(entry), OWN)
        if found and entry["response"]["status"] == 200 and (body := request_json(entry)) is not None:
            reason = found[1].refuse(body)
            if reason:
                count[found[1].name, reason] += 1
    assert count == REFUSED


def test_the_request_tells_whether_a_stream_comes_and_of_which_model() -> None:
    """Multipart requests aside. Azure's deployment is the model; the corpus has the body's there."""
    wrong = []
    for entry in entries():
        found = find(*target(entry), OWN)
        body = request_json(entry)
        if not found or body is None or entry["response"]["status"] != 200:
            continue
        path = target(entry)[2]
        if found[1].streams(path, body) != bool(entry["stream"]):
            wrong.append((entry["id"], "stream"))
        if found[0].name != "azure.ai.openai" and entry["model"]:
            model = found[1].model(path, body)
            if model != unquote(entry["model"]):
                wrong.append((entry["id"], model))
    assert wrong == []


def test_of_an_agents_traffic_only_the_inference_calls_are_found() -> None:
    for entry in entries("agents"):
        found = find(*target(entry))
        assert bool(found) == entry["inference"], entry["request"]["url"]


def test_an_agents_call_is_the_same_on_the_next_run_and_another_with_another_prompt() -> None:
    left = {}
    for entry in entries("agents"):
        if found := find(*target(entry)):
            body = copy.deepcopy(entry["request"]["body"])
            prune(body, found[1])
            left[entry["client"], entry["run"], entry["call"]] = body
    for (client, _, call), body in left.items():
        runs = [left[client, run, call] for run in (1, 2, 3)]
        assert runs[0] == runs[1]
        assert runs[2] != runs[0]
        assert body in runs
