"""Anthropic's Messages, counting of tokens, and legacy completions."""

import re
from typing import Any

from mitmcache.providers import claude_code
from mitmcache.providers.base import Dialect, Json, Provider, no_error
from mitmcache.providers.made_up import prune_messages
from mitmcache.providers.openai_chat import BETA_HEADERS, CHAT
from mitmcache.providers.tools import (
    JsonListener,
    Operations,
    alike,
    asks_stream,
    dig,
    fault_of,
    having,
    is_word,
    model_in,
    post,
)
from mitmcache.reasons import Reason

FAULTS = {"refusal": Reason.CONTENT_FILTER}

CACHE_MARKS = tuple(
    f"{place}cache_control"
    for place in (
        "",
        "system[].",
        "tools[].",
        "messages[].content[].",
        "messages[].content[].source.content[].",  # a document made of blocks
        "messages[].content[].content[].",  # a tool's result, a search result
        "messages[].content[].content[].content[].",  # a search result in a tool's result
        "messages[].content[].content[].source.content[].",  # a document in a tool's result
        "messages[].content[].content.content.",  # a fetched page
        "messages[].content[].content.content.source.content[].",
        "messages[].content[].content.tool_references[].",  # what a search for tools found
    )
)
"""Everywhere the API takes a `cache_control`, which bears on the bill alone. A property of that name in a
tool's schema or in its input is none, and counts."""

_CLIENT_MARKS = ("metadata", "diagnostics", "billing_policy", "workspace_id", "user_profile_id")


def prune(body: Json) -> None:
    claude_code.prune(body)
    prune_messages(body)


def refuse(body: Json) -> Reason | None:
    stateful = dig(body, "container") is not None or dig(body, "thread") is not None
    return Reason.CONTAINER if stateful else None


def judge(document: Json) -> Reason | None:
    if fault := no_error(document):
        return fault
    reason = dig(document, "stop_reason")
    if reason is None or not is_word(dig(document, "type"), "message"):
        return Reason.INCOMPLETE
    return fault_of(reason, FAULTS)


def judge_complete(document: Json) -> Reason | None:
    return no_error(document) or (Reason.INCOMPLETE if dig(document, "stop_reason") is None else None)


class MessagesListener(JsonListener):
    def told(self, name: str, document: dict[str, Any]) -> None:
        match document.get("type") or name:
            case "content_block_delta":
                self.arguments.add(document.get("index"), dig(document, "delta", "partial_json"))
            case "message_delta":
                self.blame(fault_of(dig(document, "delta", "stop_reason"), FAULTS))
            case "message_stop":
                self.ended = True


class CompleteListener(JsonListener):
    def told(self, name: str, document: dict[str, Any]) -> None:
        self.ended = self.ended or document.get("stop_reason") is not None


_HEADERS = ("anthropic-version", *BETA_HEADERS)
_IN_PATH = model_in(r"/models/(?!count-tokens:)([^/:]+)")

MESSAGES = Dialect(
    "anthropic.messages",
    "chat",
    volatile=(*_CLIENT_MARKS, *CACHE_MARKS),
    prune=prune,
    key_headers=_HEADERS,
    set_headers=BETA_HEADERS,
    volatile_query=("beta",),
    model=_IN_PATH,
    streams=asks_stream,
    refuse=refuse,
    judge=judge,
    listen=alike(MessagesListener),
)
COUNT_TOKENS = Dialect(
    "anthropic.count_tokens",
    "count_tokens",
    volatile=CACHE_MARKS,
    prune=prune,
    key_headers=_HEADERS,
    set_headers=BETA_HEADERS,
    volatile_query=("beta",),
    model=_IN_PATH,
    refuse=refuse,
    judge=having("input_tokens"),
)
COMPLETE = Dialect(
    "anthropic.complete",
    "text_completion",
    volatile=("metadata",),
    key_headers=_HEADERS,
    set_headers=BETA_HEADERS,
    volatile_query=("beta",),
    judge=judge_complete,
    listen=alike(CompleteListener),
)


def operations(prefix: str) -> Operations:
    """What an Anthropic-like server may be asked below this path; `prefix` is a pattern."""
    return post(
        (prefix + "/messages", MESSAGES),
        (prefix + "/messages/count_tokens", COUNT_TOKENS),
        (prefix + "/complete", COMPLETE),
    )


ANTHROPIC = Provider(
    "anthropic",
    (
        re.compile(r"api(?:-staging)?\.anthropic\.com"),
        re.compile(r"claude\.googleapis\.com"),
        re.compile(r"aws-external-anthropic\.[a-z0-9-]+\.api\.aws"),
    ),
    (*operations("/v1"), *post(("/v1/chat/completions", CHAT))),
)
