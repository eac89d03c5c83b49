"""All providers, and which of them a request is for.

What no rule here names is none of our business: it passes through and is never stored.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from mitmcache.providers import openai, openai_like
from mitmcache.providers.anthropic import ANTHROPIC
from mitmcache.providers.base import Dialect, Provider
from mitmcache.providers.bedrock import BEDROCK
from mitmcache.providers.cohere import COHERE
from mitmcache.providers.google import GEMINI, VERTEX
from mitmcache.providers.huggingface import HUGGINGFACE
from mitmcache.providers.openai_chat import CHAT

PROVIDERS: tuple[Provider, ...] = (
    openai.OPENAI,
    openai.CHATGPT,
    openai.AZURE,
    ANTHROPIC,
    GEMINI,
    VERTEX,
    BEDROCK,
    COHERE,
    HUGGINGFACE,
    *openai_like.PROVIDERS,
)

ALIASES = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "vertex": "gcp.vertex_ai",
    "xai": "x_ai",
}
"""Short names for `user_host`."""

type UserHosts = Sequence[tuple[str, Provider]]
"""Hosts of the user's own, as `user_host` gives them. One host may stand for several providers."""

_SLASHES = re.compile("//+")
_SPEC = re.compile(r"([a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?")
_ANY = "(?:/.+)?"
_LONGEST = 4096  # characters; no provider has a longer path, and matching one is never slow


def find(host: str, method: str, path: str, extra: UserHosts = ()) -> tuple[Provider, Dialect] | None:
    """Whose operation this is, None where it is no inference call of a provider known.

    `host` has its port where that is not the scheme's own, `path` is percent-decoded and has no query.
    """
    if len(path) > _LONGEST:
        return None
    host = host.lower().removesuffix(":443")
    path = _SLASHES.sub("/", path)
    for provider in _candidates(host, extra):
        for rule_method, pattern, dialect in provider.operations:
            if rule_method == method and pattern.fullmatch(path):
                return provider, dialect
    return None


def is_provider(host: str, extra: UserHosts = ()) -> bool:
    return bool(_candidates(host.lower().removesuffix(":443"), extra))


def _candidates(host: str, extra: UserHosts) -> tuple[Provider, ...]:
    return (*(provider for own, provider in extra if own == host), *_catalogued(host))


@lru_cache(maxsize=1024)
def _catalogued(host: str) -> tuple[Provider, ...]:
    return tuple(
        provider for provider in PROVIDERS if any(pattern.fullmatch(host) for pattern in provider.hosts)
    )


def host_patterns(extra: UserHosts = ()) -> list[str]:
    """For mitmproxy's `allow_hosts`, which searches "host:port" for them and ignores case."""
    hosts = [pattern.pattern for provider in PROVIDERS for pattern in provider.hosts]
    return [
        *(_anchored(host, "443") for host in hosts),
        # mitmproxy writes an IPv6 address without its brackets
        *(
            _anchored(re.escape(own).replace(r"\[", r"\[?").replace(r"\]", r"\]?"), "(?:443|80)")
            for own, _ in extra
        ),
    ]


def _anchored(host: str, port: str) -> str:
    return f"^{host}$" if re.search(r":\d+$", host) else f"^(?:{host}):{port}$"


def user_host(spec: str) -> tuple[str, Provider]:
    """Parses `llm.corp.example=openai` or `localhost:11434=ollama`; ValueError says what is wrong.

    The provider's operations are found below any path, those of OpenAI's protocol with `/v1` or without.
    """
    host, separator, name = spec.strip().lower().partition("=")
    found = _SPEC.fullmatch(host.strip())
    if not separator or not found or int((found[2] or ":0")[1:]) > 65535:
        raise ValueError(f"{spec!r} is not HOST[:PORT]=PROVIDER, such as llm.corp.example=openai")
    name = name.strip()
    by_name = {provider.name: provider for provider in reversed(PROVIDERS)}
    provider = by_name.get(ALIASES.get(name, name))
    if provider is None:
        known = ", ".join(sorted({*by_name, *ALIASES}))
        raise ValueError(f"{spec!r} names no provider known; these are: {known}")
    # a scheme's own port is never part of a call's host
    host = found[1] if found[2] in (":443", ":80") else found[0]
    return host, _anywhere(provider, host)


def _anywhere(provider: Provider, host: str) -> Provider:
    below = tuple(
        (method, re.compile(f"{_ANY}(?:{pattern.pattern})"), dialect)
        for method, pattern, dialect in provider.operations
        if pattern.pattern != "/"
    )
    root = tuple(rule for rule in provider.operations if rule[1].pattern == "/")
    speaks_openai = any(dialect is CHAT for _, _, dialect in provider.operations)
    return Provider(
        provider.name,
        (re.compile(re.escape(host)),),
        (*below, *root, *(openai.operations(_ANY) if speaks_openai else ())),
        done_optional=provider.done_optional,
        key_headers=provider.key_headers,
    )
