"""A turn of a conversation, and the messages that most dialects have in common."""

from dataclasses import dataclass

from mitmcache.providers.base import Json
from mitmcache.providers.tools import dicts, dig
from mitmcache.reading.blocks import answered, blocks, thought
from mitmcache.reading.text import called, media


@dataclass(frozen=True, slots=True)
class Turn:
    """`who` is a role, or the field that this stood in."""

    who: str
    says: tuple[str, ...]


def turn(who: Json, *contents: Json) -> Turn:
    said = [text for content in contents for text in blocks(content)]
    return Turn(who if isinstance(who, str) and who else "message", tuple(said))


def message(value: Json, role: str = "message") -> Turn:
    """A message of OpenAI's, Anthropic's, Cohere's, Ollama's or Converse's kind."""
    if not isinstance(value, dict):
        return turn(role, value)
    who = value.get("role") or role
    reasoning = next((found for name in _REASONING if (found := value.get(name))), None)
    said = [thought(reasoning)] if reasoning else []
    identity = value.get("tool_call_id")
    if isinstance(identity, str):
        said.append(answered(identity, value.get("content"), 0))
    else:
        said += blocks(value.get("content"))
    said += blocks(value.get("refusal")) + blocks(value.get("tool_plan"))
    said += _sounds(value.get("audio"))
    pictures = value.get("images")
    for each in pictures if isinstance(pictures, list) else []:
        said += [media("image", None, each)] if isinstance(each, str) else blocks(each)
    calls = dicts(value.get("tool_calls"))
    said += [called_function(call) for call in calls]
    if isinstance(function := value.get("function_call"), dict) and function.get("name"):
        said.append(called(function.get("name"), function.get("arguments")))
    return Turn(str(who), tuple(said))


_REASONING = ("reasoning_content", "reasoning", "thinking")


def called_function(call: Json) -> str:
    """OpenAI's call has a function inside; Cohere's first version and Ollama's legacy one have none."""
    function = call.get("function") if isinstance(dig(call, "function"), dict) else call
    given = dig(function, "arguments")
    return called(
        dig(function, "name"), dig(function, "parameters") if given is None else given, dig(call, "id")
    )


def _sounds(audio: Json) -> list[str]:
    if not isinstance(audio, dict) or not audio:
        return []
    return [media("audio", None, audio.get("data")), *blocks(audio.get("transcript"))]


def messages(value: Json) -> list[Turn]:
    return [message(each) for each in value] if isinstance(value, list) else []
