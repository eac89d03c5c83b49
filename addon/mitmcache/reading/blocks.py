"""Pieces of content, of all dialects, as text.

Most dialects name a piece's kind in its `type`; Gemini's and Converse's pieces have one field that says it.
"""

from collections.abc import Callable
from typing import Any

from mitmcache.providers.base import Json
from mitmcache.providers.tools import dig
from mitmcache.reading.text import called, compact, media, tidy

type Piece = dict[str, Any]

DEEPEST = 8
REASONING = "[reasoning] "


def blocks(content: Json, depth: int = 0) -> list[str]:
    """The content of one message: a text, a piece, or a list of them. Empty pieces are left out."""
    if content is None or depth > DEEPEST:
        return []
    if isinstance(content, str):
        return [tidy(content)] if content else []
    if isinstance(content, dict):
        return [text] if (text := block(content, depth)) else []
    if isinstance(content, list):
        return [text for each in content for text in blocks(each, depth + 1)]
    return [compact(content)]


def block(piece: Piece, depth: int = 0) -> str:
    kind = piece.get("type")
    if isinstance(kind, str):
        if typed := _TYPED.get(kind):
            return typed(piece, depth)
        if kind.endswith(("_tool_result", "_tool_call_output", "_call_output")):
            return _result(piece, depth)
        if kind.endswith(("tool_use", "_tool_call")):
            return _call(piece, depth)
        return f"[{kind}] {compact({name: value for name, value in piece.items() if name != 'type'})}"
    for name, keyed in _KEYED.items():
        if name in piece:
            return keyed(piece[name], piece, depth)
    return compact(piece)


def thought(content: Json, depth: int = 0) -> str:
    text = "\n".join(said.removeprefix(REASONING) for said in blocks(content, depth + 1))
    return REASONING + text if text else "[reasoning, not shown]"


def _text(piece: Piece, depth: int) -> str:
    text = piece.get("text")
    return thought(text, depth) if piece.get("thought") is True else "\n".join(blocks(text, depth + 1))


def _refusal(piece: Piece, depth: int) -> str:
    return f"[refusal] {compact(piece.get('refusal'))}"


def _call(piece: Piece, depth: int) -> str:
    given = next((piece[name] for name in ("input", "arguments", "action") if name in piece), None)
    return called(piece.get("name") or piece.get("type"), given, piece.get("call_id") or piece.get("id"))


def _result(piece: Piece, depth: int) -> str:
    inside = piece.get("content") if "content" in piece else piece.get("output", piece.get("result"))
    identity = piece.get("tool_use_id") or piece.get("call_id") or ""
    return answered(identity, inside, depth, failed=piece.get("is_error") is True)


def answered(identity: Json, content: Json, depth: int, *, failed: bool = False) -> str:
    """A tool's result."""
    mark = f" [{identity}]" if isinstance(identity, str) and identity else ""
    return f"←{mark}{' error:' if failed else ''} " + "\n".join(blocks(content, depth + 1))


def _thinking(piece: Piece, depth: int) -> str:
    return thought(piece.get("thinking"), depth)


def _reasoning(piece: Piece, depth: int) -> str:
    """OpenAI's item, whose own text is often encrypted, and Google's step."""
    return thought([piece.get(name) for name in ("summary", "content", "text")], depth)


def _image_url(piece: Piece, depth: int) -> str:
    """The kind is in the name: image_url, document_url, file_url ..."""
    name = str(piece.get("type"))
    value = piece.get(name)
    return media(name.removesuffix("_url"), None, dig(value, "url") or value)


def _input(piece: Piece, depth: int) -> str:
    """input_image, input_audio, input_file, file: the data is in it, or in an object of its own name."""
    name = str(piece.get("type"))
    inner = piece.get(name) if isinstance(piece.get(name), dict) else piece
    data = next((found for field in _DATA if (found := dig(inner, field))), None)
    kind = name.removeprefix("input_")
    named = dig(inner, "filename") or dig(inner, "format") or dig(inner, "mime_type")
    return media(kind, named, dig(data, "url") or data)


_DATA = ("data", "image_url", "file_data", "file_url", "url", "uri", "file_id")


def _sourced(piece: Piece, depth: int) -> str:
    """Anthropic's image or document; Google's data is beside its type, Cohere's document is an object."""
    kind, source = str(piece.get("type")), piece.get("source")
    if not isinstance(source, dict):
        return _input(piece, depth) if "document" not in piece else f"[{kind}] {compact(piece['document'])}"
    if source.get("type") in ("text", "content"):
        return f"[{kind}] " + "\n".join(blocks(source.get("data") or source.get("content"), depth + 1))
    data = source.get("data") or source.get("url") or source.get("file_id")
    return media(kind, source.get("media_type"), data)


_TYPED: dict[str, Callable[[Piece, int], str]] = {
    **dict.fromkeys(("text", "input_text", "output_text", "summary_text"), _text),
    **dict.fromkeys(("tool_use", "server_tool_use", "mcp_tool_use", "function_call"), _call),
    **dict.fromkeys(("custom_tool_call", "mcp_call"), _call),
    **dict.fromkeys(("tool_result", "function_call_output", "function_result"), _result),
    **dict.fromkeys(("image_url", "document_url", "file_url", "audio_url", "video_url"), _image_url),
    **dict.fromkeys(("input_image", "input_audio", "input_file", "file", "audio", "video"), _input),
    **dict.fromkeys(("image", "document"), _sourced),
    **dict.fromkeys(("reasoning", "thought"), _reasoning),
    "reasoning_text": lambda piece, depth: thought(piece.get("text"), depth),
    "refusal": _refusal,
    "thinking": _thinking,
    "redacted_thinking": lambda piece, depth: "[reasoning, not shown]",
}


def _inline(value: Json, piece: Piece, depth: int) -> str:
    media_type = dig(value, "mimeType") or dig(value, "mime_type")
    kind = str(media_type or "data").partition("/")[0]
    data = dig(value, "data") or dig(value, "fileUri") or dig(value, "file_uri")
    return media(kind, media_type, data)


def _function(value: Json, piece: Piece, depth: int) -> str:
    return called(dig(value, "name"), dig(value, "args"), dig(value, "id"))


def _response(value: Json, piece: Piece, depth: int) -> str:
    return answered(dig(value, "id") or dig(value, "name"), compact(dig(value, "response")), depth)


def _tool_use(value: Json, piece: Piece, depth: int) -> str:
    return called(dig(value, "name"), dig(value, "input"), dig(value, "toolUseId"))


def _tool_result(value: Json, piece: Piece, depth: int) -> str:
    failed = dig(value, "status") == "error"
    return answered(dig(value, "toolUseId"), dig(value, "content"), depth, failed=failed)


def _media(kind: str) -> Callable[[Json, Piece, int], str]:
    def read(value: Json, piece: Piece, depth: int) -> str:
        source = dig(value, "source")
        if inside := dig(source, "text") or dig(source, "content"):
            return f"[{kind}] " + "\n".join(blocks(inside, depth + 1))
        return media(kind, dig(value, "format"), dig(source, "bytes") or dig(source, "s3Location", "uri"))

    return read


_KEYED: dict[str, Callable[[Json, Piece, int], str]] = {
    "functionCall": _function,
    "function_call": _function,
    "functionResponse": _response,
    "function_response": _response,
    "inlineData": _inline,
    "inline_data": _inline,
    "fileData": _inline,
    "file_data": _inline,
    "executableCode": lambda value, piece, depth: f"[code]\n{compact(dig(value, 'code'))}",
    "codeExecutionResult": lambda value, piece, depth: f"← {compact(dig(value, 'output'))}",
    "toolUse": _tool_use,
    "toolResult": _tool_result,
    "reasoningContent": lambda value, piece, depth: thought(dig(value, "reasoningText", "text"), depth),
    "cachePoint": lambda value, piece, depth: "",
    "citationsContent": lambda value, piece, depth: "\n".join(blocks(dig(value, "content"), depth + 1)),
    "guardContent": lambda value, piece, depth: "\n".join(blocks(dig(value, "text", "text"), depth + 1)),
    "image": _media("image"),
    "document": _media("document"),
    "video": _media("video"),
    "audio": _media("audio"),
    "text": lambda value, piece, depth: _text(piece, depth),
    "json": lambda value, piece, depth: compact(value),
    "thoughtSignature": lambda value, piece, depth: "",
}
