"""The words of the project: a call, its reply, and what that used."""

from dataclasses import dataclass, field

from mitmcache.providers.base import Dialect, Provider
from mitmcache.reasons import Reason

type Headers = tuple[tuple[str, str], ...]
"""Names in lower case, in the order sent."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request that the catalogue names.

    `host` is lower-case and carries its port where that is not the scheme's own. `path` is
    percent-decoded with repeated slashes collapsed, `query` as sent. `body` is content-decoded; where
    that cannot be done it is as sent, and `unread` says why.
    """

    provider: Provider
    dialect: Dialect
    method: str
    scheme: str
    host: str
    path: str
    query: str
    headers: Headers
    body: bytes = field(repr=False)
    unread: Reason | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What an upstream answered. `framed` says that the transport marked the end of the body."""

    status: int
    headers: Headers
    body: bytes = field(repr=False)
    framed: bool = True


@dataclass(frozen=True, slots=True)
class Usage:
    """What a provider says that one call used. None: it did not say, which is not zero.

    As OpenTelemetry's GenAI conventions have it, `input_tokens` are all of them, those that the provider
    read from its own prompt cache or wrote to it included, and `output_tokens` are all of them, reasoning
    included. The other counts of tokens name parts of these two. A provider that counts such a part
    beside the whole (Anthropic and Bedrock the cache, Gemini the reasoning) has it added here; one that
    contradicts itself (more cached than read) is passed on as it is. Tokens are those that are billed.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation_1h_input_tokens: int | None = None
    """Of `cache_creation_input_tokens`, those kept for an hour, which cost more."""
    reasoning_output_tokens: int | None = None
    total_tokens: int | None = None
    """The provider's own total; never summed up here."""
    audio_input_tokens: int | None = None
    cache_read_audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None
    image_input_tokens: int | None = None
    image_output_tokens: int | None = None
    audio_seconds: float | None = None
    """How much audio was read, where that is the bill's unit."""
    images: int | None = None
    """Made, or read by an embedding that is billed by the image."""
    pages: int | None = None
    search_units: int | None = None
    web_searches: int | None = None
    """Made by the provider for this call, where it tells them in its usage."""


def header(headers: Headers, name: str) -> str:
    """All values of a lower-case header name, joined by a comma as RFC 9110 5.2 has it."""
    return ", ".join([value for key, value in headers if key == name])
