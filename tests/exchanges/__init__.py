"""Exchanges with every provider family, written by hand: short, but in the providers' wire form.

`ALL` is what both the unit tests and the end-to-end tests go through.
"""

from exchanges import anthropic, bedrock, google, openai, openai_like, others
from exchanges.base import Exchange

ALL: tuple[Exchange, ...] = (
    *openai.ALL,
    *openai_like.ALL,
    *anthropic.ALL,
    *google.ALL,
    *bedrock.ALL,
    *others.ALL,
)

MAIN: tuple[Exchange, ...] = (
    openai.CHAT,
    openai.CHAT_STREAM,
    openai.RESPONSES_STREAM,
    openai.TRANSCRIPTION,
    anthropic.MESSAGES,
    anthropic.MESSAGES_STREAM,
    google.GENERATE,
    google.STREAM,
    bedrock.CONVERSE_STREAM,
)
"""One of each kind, for what is too slow to be tried with all."""

STREAMS: tuple[Exchange, ...] = tuple(exchange for exchange in ALL if exchange.events)

STREAM_FORMS: tuple[Exchange, ...] = (
    openai.CHAT_STREAM,
    openai.RESPONSES_STREAM,
    anthropic.MESSAGES_STREAM,
    google.STREAM,
    google.ARRAY_STREAM,
    bedrock.CONVERSE_STREAM,
    others.OLLAMA_STREAM,
)
"""One of each way to end a stream."""

__all__ = ["ALL", "MAIN", "STREAMS", "STREAM_FORMS", "Exchange"]
