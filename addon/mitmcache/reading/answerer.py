"""Who an answer says it is from: the model, and the tier of service."""

from typing import NamedTuple

from mitmcache.providers.base import Json
from mitmcache.providers.tools import dig
from mitmcache.reading.documents import Named

MOST = 200
"""Characters; no name is longer."""


class Answerer(NamedTuple):
    """ "" where nothing is said of it."""

    model: str = ""
    tier: str = ""


def answerer(read: list[Named]) -> Answerer:
    """Of a stream the first model that is named, and the last tier: the first ones say what was asked for."""
    model = tier = ""
    for _, document in read:
        for holder in (document, *(dig(document, name) for name in ("response", "message", "interaction"))):
            if not holder:
                continue
            model = model or _word(dig(holder, "model")) or _word(dig(holder, "modelVersion"))
            usage = dig(holder, "usage")
            told = (
                # Anthropic's fast mode is said beside its tier, and is what is priced
                dig(usage, "speed"),
                dig(holder, "service_tier"),
                dig(usage, "service_tier"),
                dig(holder, "usageMetadata", "serviceTier"),
                dig(holder, "serviceTier", "type"),  # Bedrock's
            )
            tier = next((word for word in map(_word, told) if word not in ("", "standard")), tier)
    return Answerer(model, tier)


def _word(value: Json) -> str:
    return value if isinstance(value, str) and len(value) <= MOST else ""
