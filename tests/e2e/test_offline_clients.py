"""Offline, the providers' own clients raise what is missing as an exception that says so, and at once."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors as google_errors

import exchanges
from e2e.answers import Answer
from e2e.client import answer_of, register
from e2e.conftest import MakeProxy
from e2e.proxy import ProxyProcess
from e2e.upstream import ScriptedUpstream
from exchanges import google

OPENAI_MODEL, CLAUDE, GEMINI = "gpt-4o-mini-2024-07-18", "claude-sonnet-4-5", "gemini-2.5-flash"


def ask_openai(word: str) -> None:
    with openai.OpenAI(api_key="test-key", timeout=60) as client:
        messages = [{"role": "user", "content": word}]
        client.chat.completions.create(model=OPENAI_MODEL, messages=messages)  # type: ignore[arg-type]


def ask_openai_stream(word: str) -> None:
    with openai.OpenAI(api_key="test-key", timeout=60) as client:
        for _ in client.responses.create(model=OPENAI_MODEL, input=word, stream=True):
            pass


def ask_claude(word: str) -> None:
    with anthropic.Anthropic(api_key="test-key", timeout=60) as client:
        client.messages.create(model=CLAUDE, max_tokens=64, messages=[{"role": "user", "content": word}])


def ask_gemini(word: str) -> None:
    with ExitStack() as stack:
        client = genai.Client(api_key="test-key")
        stack.callback(client.close)
        client.models.generate_content(model=GEMINI, contents=word)


@pytest.fixture
def offline(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ProxyProcess]:
    """A proxy without upstream whose cache has an answer to `word` for each of the clients."""
    register(upstream, exchanges.openai.CHAT)
    register(upstream, exchanges.openai.RESPONSES_STREAM)
    register(upstream, exchanges.anthropic.MESSAGES)
    for version in ("v1", "v1beta"):
        path = google.GENERATE.path.replace("v1beta", version)
        upstream.answer(google.GEMINI, path, answer_of(google.GENERATE))
    for name in ("HTTP_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    proxy = make_proxy()
    monkeypatch.setenv("SSL_CERT_FILE", str(proxy.ca_file))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    for ask in (ask_openai, ask_openai_stream, ask_claude, ask_gemini):
        ask(word)
    proxy.wait_stats(lambda stats: stats["stored"] == 4)
    proxy.stop()
    proxy.options = {"llm_mode": "offline"}
    proxy.start()
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    upstream.reset()
    yield proxy
    assert not upstream.seen


CASES: list[tuple[Callable[[str], None], type[Exception], str]] = [
    (ask_openai, openai.APIStatusError, "messages[0].content"),
    (ask_openai_stream, openai.APIStatusError, "input"),
    (ask_claude, anthropic.APIStatusError, "messages[0].content"),
    (ask_gemini, google_errors.ServerError, "contents[0].parts[0].text"),
]


def test_what_is_missing_is_an_exception_that_names_the_nearest_request_and_the_field(
    offline: ProxyProcess, word: str
) -> None:
    for number, (ask, kind, place) in enumerate(CASES, 1):
        ask(word)
        with pytest.raises(kind) as caught:
            ask(f"{word} and more")
        told = str(caught.value)
        assert "the nearest stored request (" in told and place in told and word not in told
        assert getattr(caught.value, "status_code", getattr(caught.value, "code", 0)) == 504
        # nothing was tried again
        assert (offline.stats()["misses"], offline.stats()["hits"]) == (number, number)


def test_a_call_that_is_never_cached_is_such_an_exception_too(offline: ProxyProcess) -> None:
    with (
        anthropic.Anthropic(api_key="test-key", timeout=60) as client,
        pytest.raises(anthropic.APIStatusError, match="llm_mode=offline"),
    ):
        client.models.list()


def test_an_upstream_that_answers_is_not_asked(offline: ProxyProcess, upstream: ScriptedUpstream) -> None:
    register(upstream, exchanges.openai.CHAT, Answer())
    with pytest.raises(openai.APIStatusError):
        ask_openai("something new")
