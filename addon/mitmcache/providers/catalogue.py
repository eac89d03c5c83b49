"""All providers, and which of them a request is for.

What no rule here names is none of our business: it passes through and is never stored.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from mitmcache.providers import openai, openai_like
from mitmcache.providers.anthropic import ANTHROPIC
from mitmcache.providers.base import Dialect, Provider
from mitmcache.providers.bedrock import BEDROCK
from mitmcache.providers.code_assist import CODE_ASSIST
from mitmcache.providers.cohere import COHERE
from mitmcache.providers.google import GEMINI, VERTEX
from mitmcache.providers.huggingface import HUGGINGFACE
from mitmcache.providers.tools import ANYWHERE

PROVIDERS: tuple[Provider, ...] = (
    openai.OPENAI,
    openai.CHATGPT,
    openai.AZURE,
    ANTHROPIC,
    GEMINI,
    VERTEX,
    CODE_ASSIST,
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

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_SLASHES = re.compile("//+")
_SPEC = re.compile(r"([a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?")
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
    return spoken(host, extra) is not None


def spoken(host: str, extra: UserHosts = ()) -> Dialect | None:
    """A dialect of the host's, for what is no operation of it; None where it is no provider's host."""
    found = _candidates(host.lower().removesuffix(":443"), extra)
    return found[0].operations[0][2] if found else None


def _candidates(host: str, extra: UserHosts) -> tuple[Provider, ...]:
    own = tuple(provider for _, provider in extra if _is_at(provider, host)) if extra else ()
    return own + _catalogued(host)


@lru_cache(maxsize=1024)
def _catalogued(host: str) -> tuple[Provider, ...]:
    return tuple(provider for provider in PROVIDERS if _is_at(provider, host))


def _is_at(provider: Provider, host: str) -> bool:
    return any(pattern.fullmatch(host) for pattern in provider.hosts)


def host_patterns(extra: UserHosts = ()) -> list[str]:
    """For mitmproxy's `allow_hosts`, which searches "host:port" for them and ignores case."""
    own = [provider for _, provider in extra]
    return [
        *(_anchored(host.pattern, "443") for provider in PROVIDERS for host in provider.hosts),
        *(_anchored(host.pattern, "(?:443|80)") for provider in own for host in provider.hosts),
    ]


def _anchored(host: str, port: str) -> str:
    return f"^{host}$" if re.search(r":\d+$", host) else f"^(?:{host}):{port}$"


def user_host(spec: str) -> tuple[str, Provider]:
    """Parses `llm.corp.example=openai` or `localhost:11434=ollama`; ValueError says what is wrong.

    The provider's operations are found below any path, those of OpenAI's protocol with `/v1` or without.
    This machine has three names, of which each stands for all: clients differ in the one they use.
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
    names = _LOOPBACK if found[1] in _LOOPBACK else (found[1],)
    return host, _anywhere(provider, names, host.removeprefix(found[1]))


def _anywhere(provider: Provider, names: Sequence[str], port: str) -> Provider:
    """The provider at another host, below any path, and OpenAI's protocol, which gateways speak for all."""
    # mitmproxy writes an IPv6 address without its brackets, a client with them
    escaped = (re.escape(name).replace(r"\[", r"\[?").replace(r"\]", r"\]?") for name in names)
    below = tuple(
        (method, pattern if pattern.pattern == "/" else _below(pattern.pattern), dialect)
        for method, pattern, dialect in provider.operations
    )
    return replace(
        provider,
        hosts=tuple(re.compile(f"{name}{port}") for name in escaped),
        operations=(*below, *openai.operations(ANYWHERE)),
    )


def _below(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern if pattern.startswith(ANYWHERE) else f"{ANYWHERE}(?:{pattern})")
