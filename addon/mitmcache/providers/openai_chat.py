"""OpenAI's chat and legacy text completions, as dozens of servers speak them."""

from typing import Any

from mitmcache.providers.base import Dialect, Json, Provider, no_error
from mitmcache.providers.made_up import prune_chat
from mitmcache.providers.tools import JsonListener, asks_stream, broken, dicts, dig, fault_of, model_in
from mitmcache.reasons import Reason

FAULTS = {
    "content_filter": Reason.CONTENT_FILTER,
    "sensitive": Reason.CONTENT_FILTER,  # Z.ai
    "error": Reason.ERROR,
    "network_error": Reason.ERROR,  # Z.ai
    "abort": Reason.INCOMPLETE,  # vLLM
    "insufficient_system_resource": Reason.INCOMPLETE,  # DeepSeek
    # Google's OpenAI-like endpoint writes `content_filter: SAFETY`: only the word before the colon counts
    "function_call_filter": Reason.TOOL_ARGUMENTS,
}

in_path = model_in(r"/(?:deployments|engines)/([^/]+)/")


def finish_fault(choice: Json) -> Reason | None:
    if dig(choice, "error"):
        return Reason.ERROR
    reason = dig(choice, "finish_reason")
    return fault_of(reason.partition(":")[0], FAULTS) if isinstance(reason, str) else None


def _says(choice: dict[str, Any]) -> bool:
    """Whether anything came, be it that the model is through. Of a model that is not up yet a router may pass
    on a choice without a word in it, that never finished."""
    parts = (choice.get("message"), choice.get("delta"))
    words = (
        value for part in parts if isinstance(part, dict) for name, value in part.items() if name != "role"
    )
    return bool(choice.get("finish_reason") or choice.get("text")) or any(words)


def judge(document: Json) -> Reason | None:
    if fault := no_error(document):
        return fault
    choices = dicts(dig(document, "choices"))
    if not any(map(_says, choices)):
        return Reason.EMPTY
    for choice in choices:
        if fault := finish_fault(choice):
            return fault
        message = choice.get("message")
        functions = [call.get("function") for call in dicts(dig(message, "tool_calls"))]
        if any(broken(dig(each, "arguments")) for each in (*functions, dig(message, "function_call"))):
            return Reason.TOOL_ARGUMENTS
    return None


def refuse(body: Json) -> Reason | None:
    if dig(body, "store") is True:
        return Reason.STORE
    if dig(body, "deferred") is True:  # xAI: the reply is a ticket
        return Reason.DEFERRED
    return None


class ChatListener(JsonListener):
    """Hears chunks. `[DONE]` ends them, at most servers; a bare one may be all that an aborted one sends.

    So it counts only after every choice seen has finished, or the usage of the whole was told: some
    servers send no finish reason in a stream at all, or only the first choice's, but then they tell usage.
    """

    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self._done_optional = provider.done_optional
        self._finished: dict[str, bool] = {}
        self._usage = False
        self._said = False

    def told(self, name: str, document: dict[str, Any]) -> None:
        self._usage = self._usage or bool(document.get("usage"))
        for choice in dicts(document.get("choices")):
            self.blame(finish_fault(choice))
            self._said = self._said or _says(choice)
            index = str(choice.get("index") or 0)
            self._finished[index] = self._finished.get(index, False) or bool(choice.get("finish_reason"))
            delta = choice.get("delta")
            self.arguments.add(index, dig(delta, "function_call", "arguments"))
            for call in dicts(dig(delta, "tool_calls")):
                # who sends whole calls may number none of them: then the id tells them apart
                which = call.get("index") if call.get("index") is not None else call.get("id")
                self.arguments.add((index, which), dig(call, "function", "arguments"), call.get("id"))

    def done(self) -> None:
        if not self._said:
            self.blame(Reason.EMPTY)
        self.ended = self._usage or self._all_finished()

    def whole(self) -> bool:
        return self._done_optional and self._all_finished()

    def _all_finished(self) -> bool:
        return bool(self._finished) and all(self._finished.values())


BETA_HEADERS = ("anthropic-beta", "x-anthropic-beta")
"""A Claude's, behind a server that speaks OpenAI's protocol; the second is OpenRouter's."""

KEY_HEADERS = (*BETA_HEADERS, "groq-model-version")


def _completion(name: str, operation: str, *volatile: str) -> Dialect:
    return Dialect(
        name,
        operation,
        volatile=volatile,
        prune=prune_chat,
        key_headers=KEY_HEADERS,
        set_headers=BETA_HEADERS,
        model=in_path,
        streams=asks_stream,
        refuse=refuse,
        judge=judge,
        listen=ChatListener,
    )


CLIENT_MARKS = (
    "user",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "stream_options.include_obfuscation",
)
"""What a client says of itself, its prompt cache and its transport."""

CHAT = _completion("openai.chat", "chat", *CLIENT_MARKS, "store")
FIM = _completion("mistral.fim", "text_completion", *CLIENT_MARKS, "store")
COMPLETIONS = _completion("openai.completions", "text_completion", "user")
