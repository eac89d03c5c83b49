"""OpenAI's Responses."""

from typing import Any

from mitmcache.providers import codex
from mitmcache.providers.base import Dialect, Json, no_error
from mitmcache.providers.made_up import prune_responses
from mitmcache.providers.openai_chat import BETA_HEADERS, CLIENT_MARKS, KEY_HEADERS, in_path
from mitmcache.providers.tools import JsonListener, alike, broken, dicts, dig, having, is_word
from mitmcache.reasons import Reason


def prune(body: Json) -> None:
    for item in dicts(dig(body, "input")):
        codex.prune(item)
    prune_responses(body)


def refuse(body: Json) -> Reason | None:
    if dig(body, "store") is True:
        return Reason.STORE
    if dig(body, "conversation") is not None:
        return Reason.CONVERSATION
    if dig(body, "background") is True or dig(body, "prewarm") is True:
        return Reason.BACKGROUND
    for tool in dicts(dig(body, "tools")):
        # an object asks for a new container; an id names one that lives
        if isinstance(tool.get("container"), str) or dig(tool, "environment", "container_id"):
            return Reason.CONTAINER
    return None


def judge(document: Json) -> Reason | None:
    if fault := no_error(document):
        return fault
    output = dig(document, "output")
    status = dig(document, "status")
    if is_word(status, "failed"):
        return Reason.ERROR
    if is_word(dig(document, "incomplete_details", "reason"), "content_filter"):
        return Reason.CONTENT_FILTER
    if not is_word(status, "completed", "complete") and (status is not None or not output):
        return Reason.INCOMPLETE
    return Reason.TOOL_ARGUMENTS if any(map(_broken, dicts(output))) else None


def _broken(item: Json) -> bool:
    return is_word(dig(item, "type"), "function_call") and broken(dig(item, "arguments"))


class ResponsesListener(JsonListener):
    """Hears typed events; not every server repeats the type as the event's name."""

    def __init__(self) -> None:
        super().__init__()
        self._items: list[Json] = []

    def told(self, name: str, document: dict[str, Any]) -> None:
        match document.get("type") or name:
            case "response.output_item.done":
                if _broken(document.get("item")):
                    self._items.append(document["item"])
            case "response.completed":
                self._completed(document.get("response"))
            case "response.incomplete":
                said = document.get("response")
                self.blame(judge({**(said if isinstance(said, dict) else {}), "status": "incomplete"}))
            case "response.failed":
                self.blame(Reason.ERROR)

    def _completed(self, response: Json) -> None:
        said = response if isinstance(response, dict) else {}
        # ChatGPT's backend leaves the output of the last event empty: then the items heard are the output
        output = said.get("output") or self._items
        self.blame(judge({"status": "completed", **said, "output": output}))
        self.ended = True


RESPONSES = Dialect(
    "openai.responses",
    "chat",
    volatile=(*CLIENT_MARKS, "client_metadata"),
    prune=prune,
    key_headers=KEY_HEADERS,
    set_headers=BETA_HEADERS,
    model=in_path,
    refuse=refuse,
    judge=judge,
    listen=alike(ResponsesListener),
)
INPUT_TOKENS = Dialect(
    "openai.responses.input_tokens",
    "count_tokens",
    model=in_path,
    refuse=refuse,
    judge=having("input_tokens"),
)
