"""Gemini and Vertex AI."""

import re
from typing import Any

from mitmcache.providers import anthropic, openai
from mitmcache.providers.base import Dialect, Json, Provider, no_error
from mitmcache.providers.openai_chat import CHAT
from mitmcache.providers.tools import (
    UUID,
    JsonListener,
    Operations,
    alike,
    asks_stream,
    dicts,
    dig,
    fault_of,
    having,
    is_word,
    model_in,
    post,
)
from mitmcache.reasons import Reason

_FILTERED = (
    *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"),
    *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
)
_FAULTS: dict[Json, Reason] = {
    **dict.fromkeys(_FILTERED, Reason.CONTENT_FILTER),
    **dict.fromkeys(("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"), Reason.TOOL_ARGUMENTS),
    # with `$alt=json;enum-encoding=int` the same as numbers
    **dict.fromkeys((3, 4, 6, 7, 8), Reason.CONTENT_FILTER),
    9: Reason.TOOL_ARGUMENTS,
}
_ANSWERS = ("STOP", "MAX_TOKENS", 1, 2)


_ASKED = ("functionCall", "function_call")
_GIVEN = ("functionResponse", "function_response")
_MADE_UP = re.compile(f"(?:call_)?{UUID}")


def prune(body: Json) -> None:
    """Numbers the function calls: an id only says which response is to which call, and where the model gave
    none many clients make one up, anew on every run. Docker's agent and RubyLLM have it for the name, too."""
    numbers: dict[str, str] = {}
    parts = [part for content in dicts(dig(body, "contents")) for part in dicts(content.get("parts"))]
    for call in dicts([part.get(name) for part in parts for name in (*_ASKED, *_GIVEN)]):
        own = call.get("id")
        if isinstance(own, str) and own:
            call["id"] = numbers.setdefault(own, str(len(numbers)))
    called = [dig(part, name, "name") for part in parts for name in _ASKED]
    for reply in dicts([part.get(name) for part in parts for name in _GIVEN]):
        name = reply.get("name")
        if isinstance(name, str) and _MADE_UP.fullmatch(name) and name not in called:
            for holder in dicts([reply, reply.get("response")]):
                if holder.get("name") == name:
                    holder["name"] = numbers.setdefault(name, str(len(numbers)))


def finish_fault(reason: Json) -> Reason | None:
    """Of the many reasons to stop, and the ones yet to come, only two leave an answer."""
    if not isinstance(reason, str | int):
        return Reason.INCOMPLETE
    return None if reason in _ANSWERS else _FAULTS.get(reason, Reason.INCOMPLETE)


class GenerateListener(JsonListener):
    """Nothing marks the last event but that every candidate's last text came with a finish reason."""

    def __init__(self) -> None:
        super().__init__()
        self._finished: dict[str, bool] = {}

    def told(self, name: str, document: dict[str, Any]) -> None:
        if dig(document, "promptFeedback", "blockReason"):
            self.blame(Reason.CONTENT_FILTER)
        for candidate in dicts(document.get("candidates")):
            reason = candidate.get("finishReason")
            if reason:
                self.blame(finish_fault(reason))
            if reason or candidate.get("content"):
                # a server may leave out a field that is zero, in one event of a stream and not in the next
                self._finished[str(candidate.get("index") or 0)] = bool(reason)

    def whole(self) -> bool:
        return bool(self._finished) and all(self._finished.values())


def judge(document: Json) -> Reason | None:
    """Judges one reply, or all the elements of a stream that is one JSON array."""
    listener = GenerateListener()
    for part in document if isinstance(document, list) else [document]:
        listener.take("", part)
    return listener.verdict(clean_end=True)


def judge_predict(document: Json) -> Reason | None:
    if fault := having("predictions")(document):
        return fault
    filtered = any(each.get("raiFilteredReason") for each in dicts(dig(document, "predictions")))
    return Reason.CONTENT_FILTER if filtered else None


def refuse_predict(body: Json) -> Reason | None:
    """With `storageUri` the answer is written to the caller's bucket."""
    return Reason.STORE if dig(body, "parameters", "storageUri") else None


def refuse_interaction(body: Json) -> Reason | None:
    if dig(body, "background") is True:
        return Reason.BACKGROUND
    if dig(body, "previous_interaction_id") is not None or dig(body, "agent") is not None:
        return Reason.CONVERSATION
    return Reason.STORE if dig(body, "store") is True else None


def judge_interaction(document: Json) -> Reason | None:
    if fault := no_error(document):
        return fault
    status = dig(document, "status")
    # a call of the caller's own function is an answer too
    if is_word(status, "completed", "requires_action"):
        return None
    return fault_of(status, {"failed": Reason.ERROR}) or Reason.INCOMPLETE


class InteractionListener(JsonListener):
    def told(self, name: str, document: dict[str, Any]) -> None:
        if is_word(document.get("event_type") or name, "interaction.completed", "interaction.complete"):
            self.blame(judge_interaction(document.get("interaction")))
            self.ended = True


def streams(path: str, body: Json) -> bool:
    return path.endswith(":streamGenerateContent")


_IN_PATH = model_in(r"/(?:models|tunedModels|endpoints)/([^/:]+)")
_QUERY = ("$xgafv", "trace")

GENERATE = Dialect(
    "gemini.generate",
    "generate_content",
    volatile=("labels",),
    prune=prune,
    volatile_query=_QUERY,
    model=_IN_PATH,
    streams=streams,
    judge=judge,
    listen=alike(GenerateListener),
)
EMBED = Dialect(
    "gemini.embed",
    "embeddings",
    volatile_query=_QUERY,
    model=_IN_PATH,
    judge=having("embedding", "embeddings"),
)
COUNT_TOKENS = Dialect(
    "gemini.count_tokens",
    "count_tokens",
    prune=prune,
    volatile_query=_QUERY,
    model=_IN_PATH,
    judge=having("totalTokens"),
)
PREDICT = Dialect(
    "gemini.predict",
    "predict",
    volatile_query=_QUERY,
    model=_IN_PATH,
    refuse=refuse_predict,
    judge=judge_predict,
)
INTERACTIONS = Dialect(
    "gemini.interactions",
    "generate_content",
    key_headers=("api-revision",),  # which shape the answer has
    volatile_query=_QUERY,
    streams=asks_stream,
    refuse=refuse_interaction,
    judge=judge_interaction,
    listen=alike(InteractionListener),
)

_VERSION = r"/v\d\w*"
_PROJECT = "/projects/[^/]+/locations/[^/]+"
_SCOPE = f"{_VERSION}(?:/projects/[^/]+(?:/locations/[^/]+)?)?(?:/publishers/google)?"
_PARTNERS = f"{_VERSION}{_PROJECT}/publishers"

_NATIVE: Operations = post(
    (_SCOPE + "/(?:models|tunedModels|endpoints)/[^/:]+:(?:generateContent|streamGenerateContent)", GENERATE),
    (_SCOPE + "/models/[^/:]+:(?:embedContent|batchEmbedContents)", EMBED),
    (_SCOPE + "/models/[^/:]+:countTokens", COUNT_TOKENS),
    (_SCOPE + "/models/[^/:]+:predict", PREDICT),
    (_VERSION + "/interactions", INTERACTIONS),
)

GEMINI = Provider(
    "gcp.gemini",
    (re.compile(r"generativelanguage\.(?:mtls\.)?googleapis\.com"),),
    (*_NATIVE, *openai.operations(_VERSION + "/openai")),
    key_headers=("x-goog-user-project",),
)
VERTEX = Provider(
    "gcp.vertex_ai",
    (
        re.compile(r"(?:[a-z0-9-]+-)?aiplatform\.(?:mtls\.)?googleapis\.com"),
        re.compile(r"aiplatform\.[a-z]+\.rep\.googleapis\.com"),
        # an endpoint's own
        re.compile(r"[a-z0-9-]+\.[a-z0-9-]+\.prediction\.vertexai\.goog"),
        # for apps, in whose paths a project has no location
        re.compile(r"firebasevertexai\.googleapis\.com"),
    ),
    (
        *_NATIVE,
        *post(
            (_PARTNERS + "/anthropic/models/count-tokens:rawPredict", anthropic.COUNT_TOKENS),
            (_PARTNERS + "/anthropic/models/[^/:]+:(?:rawPredict|streamRawPredict)", anthropic.MESSAGES),
            (_PARTNERS + "/mistralai/models/[^/:]+:(?:rawPredict|streamRawPredict)", CHAT),
        ),
        # `openapi`, or the endpoint of a model that the user has deployed
        *openai.operations(f"{_VERSION}{_PROJECT}/(?:endpoints/[^/:]+|publishers/openai/v1)"),
    ),
    key_headers=("x-goog-user-project",),
)
