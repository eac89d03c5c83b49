import re

import pytest

from exchanges import ALL, Exchange
from mitmcache.providers.catalogue import find, host_patterns, is_provider
from providers.known_calls import CALLS

NOT_FOUND = [
    ("api.openai.com", "GET", "/v1/responses"),
    ("api.openai.com", "GET", "/v1/models"),
    ("api.openai.com", "POST", "/v1/files"),
    ("api.openai.com", "POST", "/v1/batches"),
    ("api.openai.com", "POST", "/v1/responses/compact"),
    ("api.openai.com", "POST", "/v1/threads/t/runs"),
    ("api.openai.com", "POST", "/v1/chat/completions/../../files"),
    ("api.openai.com", "POST", "/v1/chat/completions/"),
    ("api.openai.com", "POST", "/v1/chat/completions\n"),
    ("api.openai.com", "POST", "/x/v1/chat/completions"),
    ("api.openai.com", "POST", ""),
    ("api.openai.com:8443", "POST", "/v1/chat/completions"),
    ("chatgpt.com", "POST", "/backend-api/codex/responses/compact"),
    ("api.anthropic.com", "POST", "/v1/messages/batches"),
    ("api.anthropic.com", "POST", "/api/event_logging/v2/batch"),
    ("generativelanguage.googleapis.com", "POST", "/v1beta/models/veo:predictLongRunning"),
    ("generativelanguage.googleapis.com", "POST", "/v1beta/models/g:batchGenerateContent"),
    ("generativelanguage.googleapis.com", "POST", "/v1beta/cachedContents"),
    ("bedrock-runtime.us-east-1.amazonaws.com", "POST", "/guardrail/g/version/1/apply"),
    ("bedrock-agent-runtime.us-east-1.amazonaws.com", "POST", "/agents/a/agentAliases/b/sessions/c/text"),
    ("gw.azure-api.net", "POST", "/survey/responses"),
    ("api.x.ai", "POST", "/v1/videos/generations"),
    ("router.huggingface.co", "POST", "/fal-ai/fal-ai/flux/dev"),
    ("localhost:11434", "POST", "/api/pull"),
    ("localhost:11435", "POST", "/api/chat"),
    ("localhost", "POST", "/api/chat"),
    ("gateway.ai.cloudflare.com", "POST", "/v1/a/g"),
    ("gateway.ai.cloudflare.com", "POST", "/v1/a/g/anthropic/v1/messages/batches"),
    ("gateway.ai.cloudflare.com", "POST", "/v1/a/chat/completions"),
    ("firebasevertexai.googleapis.com", "POST", "/v1beta/projects/p/templates/t:templateGenerateContent"),
    ("cloudcode-pa.googleapis.com", "POST", "/v1internal:loadCodeAssist"),
    ("opencode.ai", "POST", "/v1/chat/completions"),
    ("opencode.ai", "POST", "/zen/x/v1/chat/completions"),
    ("example.com", "POST", "/v1/chat/completions"),
]
EVIL = [
    "api.openai.com.evil.example",
    "xapi.openai.com",
    "evil-api.openai.com",
    "evil.api.openai.com",
    "apixopenai.com",
    "api.openai.com.",
    "openai.azure.com",
    "x.openai.azure.com.evil.example",
    "x.evil.example/.openai.azure.com",
    "evilsnowflakecomputing.com",
    "bedrock-runtime.us-east-1.amazonaws.com.evil.example",
    "bedrock-runtime.evil.example.amazonaws.com",
    "bedrock-agent-runtime.us-east-1.amazonaws.com",
    "console.anthropic.com",
    "claude.ai",
    "localhost",
]


@pytest.mark.parametrize(("host", "path", "provider", "dialect"), CALLS)
def test_an_inference_call_is_recognised(host: str, path: str, provider: str, dialect: str) -> None:
    found = find(host, "POST", path)
    assert found
    assert (found[0].name, found[1].name) == (provider, dialect)


@pytest.mark.parametrize(("host", "method", "path"), NOT_FOUND)
def test_anything_else_is_not(host: str, method: str, path: str) -> None:
    assert find(host, method, path) is None


@pytest.mark.parametrize("exchange", ALL, ids=lambda exchange: exchange.name)
def test_every_written_exchange_is_of_its_dialect(exchange: Exchange) -> None:
    found = find(exchange.host, exchange.method, exchange.path)
    assert found
    assert found[1].name == exchange.dialect


def allowed(target: str) -> bool:
    """As mitmproxy asks it of "host:port"."""
    return any(re.search(pattern, target, re.IGNORECASE) for pattern in host_patterns())


@pytest.mark.parametrize(
    ("operation", "dialect"),
    [
        ("converse-stream", "bedrock.converse"),
        ("invoke", "bedrock.invoke"),
        ("invoke-with-response-stream", "bedrock.invoke"),
    ],
)
def test_bedrock_is_recognised_behind_cloudflares_gateway(operation: str, dialect: str) -> None:
    path = f"/v1/account/gateway/aws-bedrock/bedrock-runtime/us-east-1/model/m/{operation}"
    found = find("gateway.ai.cloudflare.com", "POST", path)
    assert found
    assert found[1].name == dialect
    assert found[1].model(path, {}) == "m"


@pytest.mark.parametrize("host", EVIL)
def test_a_host_that_only_looks_like_one_is_not_decrypted(host: str) -> None:
    assert not allowed(f"{host}:443")
    assert not is_provider(host)
    assert find(host, "POST", "/v1/chat/completions") is None


@pytest.mark.parametrize(("host", "path", "provider", "dialect"), CALLS)
def test_every_host_recognised_is_decrypted(host: str, path: str, provider: str, dialect: str) -> None:
    assert is_provider(host)
    assert allowed(host if re.search(r":\d+$", host) else host + ":443")


@pytest.mark.parametrize(
    "target",
    ["api.openai.com:8443", "api.openai.com:44", "api.openai.com:4430", "localhost:443", "localhost:114340"],
)
def test_no_other_port_is_decrypted(target: str) -> None:
    assert not allowed(target)


def test_a_local_ipv6_address_is_known_without_its_brackets() -> None:
    assert allowed("::1:11434")


def test_a_very_long_path_is_not_matched() -> None:
    assert find("bedrock-runtime.us-east-1.amazonaws.com", "POST", "/model/" * 1000 + "x/converse") is None
