"""A request as the turns of its conversation."""

from collections.abc import Callable

from mitmcache.providers.base import Json
from mitmcache.providers.tools import dicts, dig
from mitmcache.reading.blocks import block
from mitmcache.reading.text import compact
from mitmcache.reading.turns import Turn, message, messages, turn

_CONTENT = frozenset(
    {
        *("messages", "system", "instructions", "input", "inputs", "prompt", "suffix", "contents"),
        *("systemInstruction", "system_instruction", "preamble", "chat_history", "message", "query"),
        *("documents", "texts", "text", "content", "requests", "instances", "document", "image", "images"),
        *("tools", "toolConfig", "functions", "inputText", "tool_results", "input_prefix", "input_suffix"),
    }
)
"""Fields that are the conversation, or too long to be a setting of it."""


def asked(dialect: str, body: Json) -> list[Turn]:
    """The turns of a parsed request, [] where it has none that are known; settings and tools come first."""
    if not isinstance(body, dict):
        return []
    said = [each for each in _READERS.get(dialect, _fields)(body) if each.says]
    return [*settings(body), *said] if said else []


def settings(body: dict[str, Json]) -> list[Turn]:
    plain = {
        name: value
        for name, value in body.items()
        if name not in _CONTENT
        and (isinstance(value, int | float) or (isinstance(value, str) and len(value) < 200))
    }
    names = [name for tool in _tools(body) if (name := _tool_name(tool))]
    lines = [f"{name}: {compact(value)}" for name, value in plain.items()]
    lines += ["tools: " + ", ".join(names[:200])] if names else []
    return [Turn("settings", ("\n".join(lines),))] if lines else []


def _tools(body: dict[str, Json]) -> list[Json]:
    listed = (
        dicts(body.get("tools")) or dicts(dig(body, "toolConfig", "tools")) or dicts(body.get("functions"))
    )
    return [
        inner
        for tool in listed
        for inner in (dicts(tool.get("functionDeclarations") or tool.get("function_declarations")) or [tool])
    ]


def _tool_name(tool: Json) -> str:
    for holder in (dig(tool, "function"), dig(tool, "toolSpec"), tool):
        if isinstance(name := dig(holder, "name"), str):
            return name[:100]
    kind = dig(tool, "type") or next(iter(tool), "")
    return str(kind)[:100]


def _chat(body: dict[str, Json]) -> list[Turn]:
    """Messages, with a system prompt beside them at Anthropic, Converse and Ollama."""
    system = [turn("system", body.get("system"))]
    return [*system, *messages(body.get("messages"))] if "messages" in body else _fields(body)


def _responses(body: dict[str, Json]) -> list[Turn]:
    given = body.get("input")
    items = given if isinstance(given, list) else [given]
    stored = turn("prompt", body.get("prompt"))
    return [turn("system", body.get("instructions")), stored, *(item(each) for each in items)]


def item(value: Json, role: str = "user") -> Turn:
    """One item of OpenAI's Responses or Google's Interactions, asked or answered."""
    if not isinstance(value, dict):
        return turn(role, value)
    if "role" in value or value.get("type") == "message":
        return message(value, role)
    kind = str(value.get("type"))
    if kind in ("model_output", "user_input"):
        return turn("assistant" if kind == "model_output" else "user", value.get("content"))
    if kind.endswith(("_output", "_result")):
        return Turn("tool", (block(value),))
    return Turn("assistant" if "call" in kind or kind in ("reasoning", "thought") else role, (block(value),))


def _gemini(body: dict[str, Json]) -> list[Turn]:
    for name in ("generateContentRequest", "request"):  # as tokens are counted, as Code Assist is asked
        if isinstance(inner := body.get(name), dict):
            body = inner
    system = body.get("systemInstruction") or body.get("system_instruction")
    contents = body.get("contents")
    listed = contents if isinstance(contents, list) else [contents]
    turns = [turn("system", system.get("parts") if isinstance(system, dict) else system)]
    for each in listed:
        parts = dig(each, "parts") if isinstance(each, dict) and "parts" in each else each
        turns.append(turn(dig(each, "role") or "user", parts))
    return turns


def _cohere_v1(body: dict[str, Json]) -> list[Turn]:
    turns = [turn("system", body.get("preamble"))]
    turns += [
        turn(str(each.get("role")).lower(), each.get("message")) for each in dicts(body.get("chat_history"))
    ]
    turns.append(turn("user", body.get("message")))
    turns += [turn("tool", compact(each)) for each in dicts(body.get("tool_results"))]
    return [*turns, *_fields({"prompt": body.get("prompt"), "documents": body.get("documents")})]


def _invoke(body: dict[str, Json]) -> list[Turn]:
    """The model's own form."""
    return _chat(body) if "messages" in body else _cohere_v1(body) if "message" in body else _fields(body)


def _gemini_embed(body: dict[str, Json]) -> list[Turn]:
    requests = dicts(body.get("requests")) or [body]
    return [turn("content", dig(each, "content", "parts")) for each in requests]


def _fields(body: dict[str, Json]) -> list[Turn]:
    """The operations that are no conversation: what they are given, field by field."""
    return [turn(name, _numbers(body[name])) for name in _INPUTS if body.get(name)]


_INPUTS = (
    *("system", "prompt", "suffix", "input_prefix", "input_suffix", "input", "inputs", "inputText", "text"),
    *("texts", "query", "documents", "content", "contents", "instances", "document", "image", "images"),
    *("messages", "requests"),
)


def _numbers(value: Json) -> Json:
    """Tokens, of one text or of each of several, are told by their number."""
    return [_tokens(each) for each in value] if isinstance(value := _tokens(value), list) else value


def _tokens(value: Json) -> Json:
    numbers = isinstance(value, list) and value and all(isinstance(each, int) for each in value)
    return f"[{len(value)} tokens]" if numbers else value


_READERS: dict[str, Callable[[dict[str, Json]], list[Turn]]] = {
    **dict.fromkeys(("openai.chat", "anthropic.messages", "anthropic.count_tokens", "cohere.v2.chat"), _chat),
    **dict.fromkeys(("bedrock.converse", "ollama.chat", "llamacpp.completion"), _chat),
    **dict.fromkeys(("openai.responses", "openai.responses.input_tokens", "gemini.interactions"), _responses),
    **dict.fromkeys(("gemini.generate", "gemini.code_assist", "gemini.count_tokens"), _gemini),
    "gemini.embed": _gemini_embed,
    "cohere.v1.chat": _cohere_v1,
    "bedrock.invoke": _invoke,
}
