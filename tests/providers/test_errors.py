"""The forms are those of recorded errors, and the providers' own clients raise them with the message."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic
import boto3
import botocore.config
import botocore.exceptions
import openai
import pytest
from google import genai
from google.genai import errors as google_errors

from mitmcache.providers.base import Json
from mitmcache.providers.catalogue import PROVIDERS
from mitmcache.providers.errors import error_reply
from mitmcache.providers.tools import parse
from mitmcache.reading.turns_reply import answered

DIALECTS = {dialect.name for provider in PROVIDERS for _, _, dialect in provider.operations}
MESSAGE = "offline: nothing stored for this call"
DIFFERS = ["messages[0].content"]


def reply(dialect: str, status: int = 504) -> tuple[dict[str, str], Json]:
    fields, body = error_reply(dialect, status, "mitmcache_miss", MESSAGE, {"differs": DIFFERS})
    return dict(fields), parse(body)


@pytest.mark.parametrize(
    ("dialect", "where"),
    [
        ("openai.chat", ("error", "message")),
        ("openai.responses", ("error", "message")),
        ("mistral.fim", ("error", "message")),
        ("rerank", ("error", "message")),
        ("llamacpp.completion", ("error", "message")),
        ("anthropic.messages", ("error", "message")),
        ("gemini.generate", ("error", "message")),
        ("bedrock.converse", ("message",)),
        ("cohere.v2.chat", ("message",)),
        ("ollama.chat", ("error",)),
        ("hf.task", ("error",)),
    ],
)
def test_the_message_stands_where_the_dialects_clients_look(dialect: str, where: tuple[str, ...]) -> None:
    fields, document = reply(dialect)
    assert fields["content-type"] == "application/json"
    for name in where:
        document = document[name]
    assert document == MESSAGE


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_our_own_reading_shows_it(dialect: str) -> None:
    turns, _ = answered(dialect, reply(dialect)[1])
    assert MESSAGE in "".join(text for turn in turns for text in turn.says)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_programs_find_the_word_and_the_details(dialect: str) -> None:
    text = json.dumps(reply(dialect)[1])
    assert "mitmcache_miss" in text
    assert DIFFERS[0] in text


@pytest.mark.parametrize(
    ("status", "google", "claude", "aws"),
    [
        (504, "DEADLINE_EXCEEDED", "timeout_error", "ModelTimeoutException"),
        (429, "RESOURCE_EXHAUSTED", "rate_limit_error", "ThrottlingException"),
        (403, "PERMISSION_DENIED", "permission_error", "AccessDeniedException"),
        (418, "UNKNOWN", "api_error", "InternalServerException"),
    ],
)
def test_a_status_has_the_dialects_own_word(status: int, google: str, claude: str, aws: str) -> None:
    assert reply("gemini.generate", status)[1]["error"]["status"] == google
    assert reply("anthropic.messages", status)[1]["error"]["type"] == claude
    assert reply("bedrock.converse", status)[0]["x-amzn-errortype"] == aws


@pytest.fixture
def server() -> Iterator[str]:
    """Answers every call with the error of the dialect that its path names first."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            dialect = self.path.split("/")[1]
            fields, body = error_reply(dialect, 504, "mitmcache_miss", MESSAGE, {"differs": DIFFERS})
            self.send_response(504)
            for name, value in (*fields, ("content-length", str(len(body)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{made.server_address[1]}"
        made.shutdown()
        thread.join()


def ask_openai(url: str) -> None:
    with openai.OpenAI(base_url=f"{url}/openai.chat/v1", api_key="test-key", max_retries=0) as client:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])


def ask_claude(url: str) -> None:
    with anthropic.Anthropic(
        base_url=f"{url}/anthropic.messages", api_key="test-key", max_retries=0
    ) as client:
        client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hello"}])


def ask_gemini(url: str) -> None:
    options = genai.types.HttpOptions(base_url=f"{url}/gemini.generate")
    client = genai.Client(api_key="test-key", http_options=options)
    client.models.generate_content(model="m", contents="hello")


def ask_bedrock(url: str) -> None:
    make: Any = boto3.client
    client = make(
        "bedrock-runtime",
        endpoint_url=f"{url}/bedrock.converse",
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    client.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "hello"}]}])


@pytest.mark.parametrize(
    ("ask", "kind"),
    [
        (ask_openai, openai.APIStatusError),
        (ask_claude, anthropic.APIStatusError),
        (ask_gemini, google_errors.ServerError),
        (ask_bedrock, botocore.exceptions.ClientError),
    ],
)
def test_a_providers_own_client_raises_it_with_the_message(
    server: str, ask: Callable[[str], None], kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(kind, match=MESSAGE):
        ask(server)
