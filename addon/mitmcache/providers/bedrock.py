"""Amazon Bedrock: Converse, InvokeModel and CountTokens, and the OpenAI- and Anthropic-like ways in."""

import base64
import binascii
import re
from typing import Any

from mitmcache.providers import anthropic, openai
from mitmcache.providers.base import Dialect, Json, Provider, no_error
from mitmcache.providers.made_up import prune_converse
from mitmcache.providers.openai_chat import ChatListener
from mitmcache.providers.openai_chat import judge as judge_chat
from mitmcache.providers.tools import (
    JsonListener,
    alike,
    dicts,
    dig,
    fault_of,
    having,
    is_word,
    model_in,
    parse,
    post,
)
from mitmcache.reasons import Reason

FAULTS = {
    "guardrail_intervened": Reason.CONTENT_FILTER,
    "content_filtered": Reason.CONTENT_FILTER,
    "malformed_model_output": Reason.INCOMPLETE,
    "malformed_tool_use": Reason.TOOL_ARGUMENTS,
}


def prune(body: Json) -> None:
    """Cache points are elements of their own in lists of content, and bear on the bill alone; ids that were
    made up only tie results to calls."""
    for holder, name in (
        (body, "system"),
        (dig(body, "toolConfig"), "tools"),
        *((message, "content") for message in dicts(dig(body, "messages"))),
    ):
        blocks = dig(holder, name)
        if isinstance(blocks, list):
            holder[name] = [block for block in blocks if not _is_cache_point(block)]
    prune_converse(body)


def _is_cache_point(block: Json) -> bool:
    return isinstance(block, dict) and block.keys() == {"cachePoint"}


def judge(document: Json) -> Reason | None:
    if fault := no_error(document):
        return fault
    reason = dig(document, "stopReason")
    return Reason.INCOMPLETE if reason is None else fault_of(reason, FAULTS)


class ConverseListener(JsonListener):
    """Hears AWS frames; the one with the usage comes after the one that says stop."""

    def __init__(self) -> None:
        super().__init__()
        self._stopped = False

    def told(self, name: str, document: dict[str, Any]) -> None:
        match name:
            case "contentBlockDelta":
                pieces = dig(document, "delta", "toolUse", "input")
                self.arguments.add(document.get("contentBlockIndex"), pieces)
            case "messageStop":
                self._stopped = True
                self.blame(fault_of(document.get("stopReason"), FAULTS))
            case "metadata":
                self.ended = self._stopped


def prune_invoke(body: Json) -> None:
    """A Claude's body is Anthropic's own."""
    if isinstance(dig(body, "anthropic_version"), str):
        body.pop("metadata", None)
        anthropic.prune(body)


def judge_invoke(document: Json) -> Reason | None:
    """The body is the model's own: the two protocols that are known are judged as such."""
    if fault := _intervened(document):
        return fault
    if is_word(dig(document, "type"), "message"):
        return anthropic.judge(document)
    if isinstance(dig(document, "choices"), list):
        return judge_chat(document)
    if isinstance(dig(document, "message"), str):  # what AWS puts into an error's body
        return Reason.ERROR
    return no_error(document)


def _intervened(document: Json) -> Reason | None:
    """A guardrail's words come as if the model had said and finished them; one field of Bedrock's tells."""
    stopped = is_word(dig(document, "amazon-bedrock-guardrailAction"), "INTERVENED")
    return Reason.CONTENT_FILTER if stopped else None


class InvokeListener(JsonListener):
    """Hears the model's own events, wrapped in base64. Bedrock adds its metrics to the last."""

    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self._messages = anthropic.MessagesListener()
        self._chat = ChatListener(provider)
        self._stopped = False

    def told(self, name: str, document: dict[str, Any]) -> None:
        wrapped = document.get("bytes")
        if not isinstance(wrapped, str):
            return
        try:
            self.inside(parse(base64.b64decode(wrapped, validate=True)))
        except (ValueError, binascii.Error):
            self.blame(Reason.NOT_JSON)

    def inside(self, document: Json) -> None:
        inner = self._chat if isinstance(dig(document, "choices"), list) else self._messages
        inner.take("", document)
        self.blame(inner.fault or _intervened(document))
        self.ended = self.ended or dig(document, "amazon-bedrock-invocationMetrics") is not None
        self._stopped = dig(document, "stop_reason") is not None

    def whole(self) -> bool:
        """The first Claudes' streams have no metrics, and stop in their last event."""
        return self._stopped

    def verdict(self, *, clean_end: bool) -> Reason | None:
        inner = self._messages.arguments.fault() or self._chat.arguments.fault()
        return super().verdict(clean_end=clean_end) or inner


def streams(path: str, body: Json) -> bool:
    return path.endswith("-stream")


_IN_PATH = model_in(r"/model/(.+)/[^/]+$")
_HEADERS = ("x-amzn-bedrock-*",)

CONVERSE = Dialect(
    "bedrock.converse",
    "chat",
    volatile=("requestMetadata",),
    prune=prune,
    key_headers=_HEADERS,
    model=_IN_PATH,
    streams=streams,
    judge=judge,
    listen=alike(ConverseListener),
)
INVOKE = Dialect(
    "bedrock.invoke",
    "invoke_model",
    volatile=anthropic.CACHE_MARKS,
    prune=prune_invoke,
    key_headers=("accept", *_HEADERS),
    model=_IN_PATH,
    streams=streams,
    judge=judge_invoke,
    listen=InvokeListener,
)
COUNT_TOKENS = Dialect(
    "bedrock.count_tokens",
    "count_tokens",
    key_headers=_HEADERS,
    model=_IN_PATH,
    judge=having("inputTokens"),
)

BEDROCK = Provider(
    "aws.bedrock",
    (
        re.compile(r"bedrock-runtime(?:-fips)?\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|api\.aws)"),
        re.compile(r"[a-z0-9-]+\.bedrock-runtime\.[a-z0-9-]+\.vpce\.amazonaws\.com"),
        re.compile(r"bedrock-mantle\.[a-z0-9-]+\.api\.aws"),
    ),
    (
        *post(
            ("/model/.+/converse(?:-stream)?", CONVERSE),  # an ARN, percent-decoded, has slashes
            ("/model/.+/invoke(?:-with-response-stream)?", INVOKE),
            ("/model/.+/count-tokens", COUNT_TOKENS),
        ),
        *openai.operations("/(?:openai/)?v1"),
        *anthropic.operations("/anthropic/v1"),
    ),
)
