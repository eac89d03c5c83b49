"""What Codex puts into a Responses request that is new on every run, and that nothing leans on."""

import re
from typing import Any

from mitmcache.providers.tools import dicts, is_word

INTERNAL = "internal_chat_message_metadata_passthrough"
OUTPUTS = ("function_call_output", "custom_tool_call_output")
"""Tied to their call by `call_id`: their own `id` is made by the client, and nothing names it."""
NAMELESS = ("message", "additional_tools", *OUTPUTS)

_HEAD = re.compile(
    r"(?:(?:Chunk ID: |Wall time:? |Exit code: |Process |Original token count: |Total output lines: |Script )"
    r"[^\n]{0,80}\n){1,8}Output:\n"
)
"""What Codex writes in front of a command's output."""
_MEASURED = re.compile(r"^(?:Chunk ID: [0-9a-f]+|Wall time:? [0-9.]+ seconds)\n", re.MULTILINE)
_RESULT = re.compile(
    r"(?:Warning: truncated output \(original token count: \d+\)\nTotal output lines: \d+\n\n)?"
    r'\{(?:"chunk_id":"[0-9a-f]+",)?"wall_time_seconds":[-+.0-9eE]+,'
)
"""The same as JSON: how a result begins that a script passes on whole. The tokens are those of that, too."""


def prune(item: dict[str, Any]) -> None:
    """Takes out of one item of `input`, in place: the client's own ids and notes; and of a command's output
    how long it took and the random number of its chunk, which would keep all that an agent asks after its
    first command from ever being asked again."""
    item.pop(INTERNAL, None)
    kind = item.get("type")
    if is_word(kind, *NAMELESS) or (kind is None and "role" in item):
        item.pop("id", None)
    if not is_word(kind, *OUTPUTS):
        return
    output = item.get("output")
    if isinstance(output, str):
        item["output"] = unmeasured(output)
    for part in dicts(output):
        if isinstance(text := part.get("text"), str):
            part["text"] = unmeasured(text)


def unmeasured(text: str) -> str:
    """A command's output without what Codex has measured, where it begins as Codex has it begin."""
    if head := _HEAD.match(text):
        return _MEASURED.sub("", head[0]) + text[head.end() :]
    if result := _RESULT.match(text):
        return "{" + text[result.end() :]
    return text
