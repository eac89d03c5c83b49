"""Ids of tool calls that the client has made up.

The model's own lead from its answer to the next request, and so are the same again with that answer. Where a
program writes calls into a prompt itself, as examples, it often takes a new UUID for each, on every run.
"""

import re
from typing import Any

from mitmcache.providers.base import Json
from mitmcache.providers.tools import UUID, dicts, dig

_UUID = re.compile(UUID)


def prune_chat(body: Json) -> None:
    """Of OpenAI's chat, in place: an id only says which result is of which call."""
    numbers: dict[str, str] = {}
    for message in dicts(dig(body, "messages")):
        if calls := message.get("tool_calls"):
            for call in dicts(calls):
                number(call, "id", numbers)
        elif "tool_call_id" in message:
            number(message, "tool_call_id", numbers)


def prune_messages(body: Json) -> None:
    """Of Anthropic's messages, likewise."""
    numbers: dict[str, str] = {}
    for message in dicts(dig(body, "messages")):
        for block in dicts(message.get("content")):
            kind = block.get("type")
            if kind == "tool_use":
                number(block, "id", numbers)
            elif kind == "tool_result":
                number(block, "tool_use_id", numbers)


def prune_converse(body: Json) -> None:
    """Of Bedrock's Converse, likewise."""
    numbers: dict[str, str] = {}
    for message in dicts(dig(body, "messages")):
        for block in dicts(message.get("content")):
            for part in dicts([block.get("toolUse"), block.get("toolResult")]):
                number(part, "toolUseId", numbers)


def prune_responses(body: Json) -> None:
    """Of OpenAI's Responses, likewise."""
    numbers: dict[str, str] = {}
    for item in dicts(dig(body, "input")):
        if "call_id" in item:
            number(item, "call_id", numbers)


def number(holder: dict[str, Any], name: str, numbers: dict[str, str]) -> None:
    """Puts a number in the place of a UUID, the same for the same."""
    own = holder.get(name)
    if isinstance(own, str) and len(own) == 36 and _UUID.fullmatch(own):
        holder[name] = numbers.setdefault(own, str(len(numbers)))
