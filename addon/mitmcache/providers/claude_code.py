"""What Claude Code puts into a Messages request that is new on every run, and that nothing leans on."""

import re

from mitmcache.providers.base import Json
from mitmcache.providers.tools import UUID, dicts, dig, is_word

BILLING = "x-anthropic-billing-header:"
_SAVED = re.compile(
    r"(<persisted-output>\n[^\n]{0,80}Full output saved to: [^\n]{0,4096}[/\\])"
    rf"{UUID}[/\\]tool-results[/\\][\w-]+(?=\.\w+\n)"
)
"""A long output, of which the model sees the beginning: in a folder of the session, under a random name."""

_AGENT = re.compile(
    r"^agentId: [0-9a-z]+ \([^\n]{0,400}\)\n<usage>([^<]{0,400})duration_ms: \d+</usage>\s*\Z", re.MULTILINE
)
"""The end of a subagent's report: its random name, by which it could be asked more, and how long it took."""


def prune(body: Json) -> None:
    """Takes out, in place, the hash in front of the system prompt, which is new on every call; and of what
    tools have said the random names of files and subagents, and the time that these took, which would keep
    all that an agent asks after its first subagent from ever being asked again."""
    system = dig(body, "system")
    if isinstance(system, list):
        body["system"] = [block for block in system if not _is_billing(block)]
    for message in dicts(dig(body, "messages")):
        for block in dicts(message.get("content")):
            if is_word(block.get("type"), "tool_result"):
                _forget_names(block)


def _is_billing(block: Json) -> bool:
    text = dig(block, "text")
    return isinstance(text, str) and text.startswith(BILLING)


def _forget_names(result: dict[str, Json]) -> None:
    content = result.get("content")
    if isinstance(content, str):
        result["content"] = unnamed(content)
    for part in dicts(content):
        if isinstance(text := part.get("text"), str):
            part["text"] = unnamed(text)


def unnamed(text: str) -> str:
    """A tool's output without the session and the name of the file that has all of it, or without what tells
    one run of a subagent from another."""
    if found := _SAVED.match(text):
        return found[1] + text[found.end() :]
    if found := _AGENT.search(text):
        return f"{text[: found.start()]}<usage>{found[1]}</usage>"
    return text
