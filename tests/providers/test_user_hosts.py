"""Hosts of the user's own."""

import re

import pytest

from mitmcache.providers import catalogue
from mitmcache.providers.catalogue import find, host_patterns, is_provider, user_host
from mitmcache.providers.tools import ANYWHERE

OPS = "/openai/deployments/gpt/chat/completions"
ABOVE = "/team/gateway"
USER_HOSTS = [
    ("llm.corp.example=openai", "llm.corp.example", "/v1/chat/completions", "openai.chat"),
    ("llm.corp.example=openai", "llm.corp.example", "/chat/completions", "openai.chat"),
    ("llm.corp.example=openai", "llm.corp.example", "/api/v1/responses", "openai.responses"),
    ("llm.corp.example=groq", "llm.corp.example", "/v1/embeddings", "openai.embeddings"),
    ("LLM.Corp.Example = OpenAI ", "llm.corp.example", "/v1/chat/completions", "openai.chat"),
    ("llm.corp.example:443=openai", "llm.corp.example", "/v1/chat/completions", "openai.chat"),
    ("llm.corp.example:80=openai", "llm.corp.example", "/v1/chat/completions", "openai.chat"),
    ("llm.corp.example:8443=openai", "llm.corp.example:8443", "/v1/chat/completions", "openai.chat"),
    ("[fd00::1]:4000=openai", "[fd00::1]:4000", "/v1/chat/completions", "openai.chat"),
    ("[fd00::1]:4000=openai", "fd00::1:4000", "/v1/chat/completions", "openai.chat"),
    ("[fd00::1]=openai", "fd00::1", "/v1/chat/completions", "openai.chat"),
    ("localhost:9000=openai", "127.0.0.1:9000", "/v1/chat/completions", "openai.chat"),
    ("127.0.0.1:9000=openai", "localhost:9000", "/v1/chat/completions", "openai.chat"),
    ("localhost:9000=openai", "[::1]:9000", "/v1/chat/completions", "openai.chat"),
    ("[::1]:9000=openai", "127.0.0.1:9000", "/v1/chat/completions", "openai.chat"),
    ("localhost=openai", "127.0.0.1", "/v1/chat/completions", "openai.chat"),
    ("gpu7:9000=vllm", "gpu7:9000", "/v1/messages", "anthropic.messages"),
    ("gpu7:9000=ollama", "gpu7:9000", "/api/chat", "ollama.chat"),
    ("gpu7:9000=llamacpp", "gpu7:9000", "/completion", "llamacpp.completion"),
    ("gpu7:9000=llamacpp", "gpu7:9000", "/v1/completions", "openai.completions"),
    ("gpu7:9000=llamacpp", "gpu7:9000", "/x/v1/completions", "openai.completions"),
    ("gpu7:9000=llamacpp", "gpu7:9000", "/x/completions", "llamacpp.completion"),
    ("gw.example=anthropic", "gw.example", ABOVE + "/v1/messages", "anthropic.messages"),
    ("gw.example=azure", "gw.example", ABOVE + OPS, "openai.chat"),
    ("gw.example=gemini", "gw.example", ABOVE + "/v1beta/models/g:generateContent", "gemini.generate"),
    ("gw.example=vertex", "gw.example", "/v1/publishers/google/models/g:generateContent", "gemini.generate"),
    ("gw.example=bedrock", "gw.example", "/bedrock/model/m/converse-stream", "bedrock.converse"),
    ("gw.example=cohere", "gw.example", "/v2/chat", "cohere.v2.chat"),
    ("gw.example=mistral", "gw.example", "/v1/fim/completions", "mistral.fim"),
    ("gw.example=moonshot", "gw.example", "/v1/chat/completions", "openai.chat"),
    ("gw.example=anthropic", "gw.example", "/openai/responses", "openai.responses"),
    ("gw.example=xai", "gw.example", "/v1/chat/completions", "openai.chat"),
    ("gw.example=huggingface", "gw.example", "/", "hf.task"),
]


def allowed(target: str, specs: tuple[str, ...]) -> bool:
    """As mitmproxy asks it of "host:port"."""
    patterns = host_patterns([user_host(spec) for spec in specs])
    return any(re.search(pattern, target, re.IGNORECASE) for pattern in patterns)


@pytest.mark.parametrize(("spec", "host", "path", "dialect"), USER_HOSTS)
def test_a_users_own_host_is_known(spec: str, host: str, path: str, dialect: str) -> None:
    own = [user_host(spec)]
    found = find(host, "POST", path, own)
    assert found
    assert found[1].name == dialect
    assert is_provider(host, own)
    assert not is_provider(host)
    assert allowed(host if re.search(r":\d{4}$", host) else host + ":443", (spec,))


@pytest.mark.parametrize(
    ("spec", "host", "path"),
    [
        ("gw.example=openai", "gw.example", "/v1/files"),
        ("gw.example=openai", "gw.example:8443", "/v1/chat/completions"),
        ("gw.example=openai", "x.gw.example", "/v1/chat/completions"),
        ("gw.example=openai", "gwxexample", "/v1/chat/completions"),
        ("localhost:9000=openai", "127.0.0.1:9001", "/v1/chat/completions"),
        ("gw.example=anthropic", "gw.example", "/v1/messages/batches"),
        ("gw.example=huggingface", "gw.example", "/anything/"),
    ],
)
def test_a_users_host_widens_nothing_else(spec: str, host: str, path: str) -> None:
    assert find(host, "POST", path, [user_host(spec)]) is None


def test_one_host_may_stand_for_several_providers() -> None:
    own = [user_host("gw.example=openai"), user_host("gw.example=anthropic")]
    names = [find("gw.example", "POST", path, own) for path in ("/v1/chat/completions", "/v1/messages")]
    assert [found and found[0].name for found in names] == ["openai", "anthropic"]


def test_the_users_word_on_a_host_comes_first() -> None:
    own = [user_host("localhost:8000=lmstudio")]
    found = find("localhost:8000", "POST", "/v1/chat/completions", own)
    assert found
    assert found[0].name == "lmstudio"


def test_a_users_host_is_anchored_too() -> None:
    specs = ("gw.example=openai", "[fd00::1]:4000=openai")
    for target in ("gw.example:443", "GW.example:80", "[fd00::1]:4000", "fd00::1:4000"):
        assert allowed(target, specs), target
    for target in ("gw.example.evil:443", "xgw.example:443", "gwxexample:443", "gw.example:8443"):
        assert not allowed(target, specs), target


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "openai",
        "=openai",
        "gw.example",
        "gw.example:=openai",
        "gw.example:0=openai",
        "gw.example:99999=openai",
        "https://gw.example=openai",
        "gw.example/v1=openai",
        "*.example=openai",
        "gw example=openai",
    ],
)
def test_what_is_no_host_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match=r"HOST\[:PORT\]=PROVIDER"):
        user_host(spec)


@pytest.mark.parametrize("spec", ["gw.example=nobody", "gw.example="])
def test_an_unknown_provider_is_answered_with_the_names_known(spec: str) -> None:
    with pytest.raises(ValueError, match=r"anthropic, .*azure, .*ollama, .*openai, .*x_ai, xai"):
        user_host(spec)


def test_every_alias_names_a_provider() -> None:
    names = {provider.name for provider in catalogue.PROVIDERS}
    assert set(catalogue.ALIASES.values()) <= names
    assert not set(catalogue.ALIASES) & names


def test_no_pattern_takes_any_path_twice() -> None:
    """Two of them in a row would let one long path hold up the event loop."""
    for provider in catalogue.PROVIDERS:
        for _, pattern, _ in user_host(f"gw.example={provider.name}")[1].operations:
            assert pattern.pattern.count(".+") <= 2, pattern.pattern
            assert pattern.pattern.count(ANYWHERE) <= 1, pattern.pattern
