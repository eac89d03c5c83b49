"""api.openai.com: one exchange per operation and wire form."""

from typing import Any

from exchanges.base import BEARER, Exchange, dump, multipart, sse, typed_sse

HOST = "api.openai.com"
MODEL = "gpt-4o-mini-2024-07-18"
USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
EVENTS = "text/event-stream; charset=utf-8"
ACCOUNT = (("x-request-id", "req_1"), ("openai-processing-ms", "120"), ("set-cookie", "__cf_bm=abc; Secure"))


def ask(**extra: Any) -> bytes:
    return dump({"model": MODEL, "messages": [{"role": "user", "content": "Say hello."}], **extra})


def completion(message: dict[str, Any], reason: str = "stop", **extra: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1760000000,
        "model": MODEL,
        "choices": [choice],
        "usage": USAGE,
        **extra,
    }


def chunk(delta: dict[str, Any] | None, reason: str | None = None, **extra: Any) -> dict[str, Any]:
    """A chunk of a chat stream; a delta of None makes one without choices."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1760000000, "model": MODEL}
    return {**head, "choices": choices, **extra}


TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {}}}},
}


def call_delta(**function: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "function": function}]}


TEXT = sse(
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Héllo "}),
    chunk({"content": "there."}),
    chunk({}, "stop"),
    done=True,
)
TEXT_AND_USAGE = (*TEXT[:-1], *sse(chunk(None, usage=USAGE), done=True))
TOOL_CALL = sse(
    chunk(
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "index": 0,
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": ""},
                }
            ],
        }
    ),
    chunk(call_delta(arguments='{"city":')),
    chunk(call_delta(arguments='"Oslo"}')),
    chunk({}, "tool_calls"),
    done=True,
)

PART: dict[str, Any] = {"type": "output_text", "text": "Hello there.", "annotations": []}
ITEM: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}


def response(status: str, *output: dict[str, Any]) -> dict[str, Any]:
    usage = {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1760000000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": MODEL,
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage if status == "completed" else None,
    }


DONE_ITEM = {**ITEM, "content": [PART]}
AT = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
RESPONSE_EVENTS = typed_sse(
    {"type": "response.created", "sequence_number": 0, "response": response("in_progress")},
    {
        "type": "response.output_item.added",
        "sequence_number": 1,
        "output_index": 0,
        "item": {**ITEM, "status": "in_progress", "content": []},
    },
    {
        "type": "response.output_text.delta",
        "sequence_number": 2,
        **AT,
        "delta": "Hello there.",
        "logprobs": [],
    },
    {
        "type": "response.output_text.done",
        "sequence_number": 3,
        **AT,
        "text": "Hello there.",
        "logprobs": [],
    },
    {"type": "response.output_item.done", "sequence_number": 4, "output_index": 0, "item": DONE_ITEM},
    {"type": "response.completed", "sequence_number": 5, "response": response("completed", DONE_ITEM)},
)


def openai(name: str, dialect: str, target: str, body: bytes, **reply: Any) -> Exchange:
    reply.setdefault("headers", BEARER)
    reply.setdefault("reply_headers", ACCOUNT)
    return Exchange(f"openai {name}", dialect, HOST, f"/v1/{target}", body, **reply)


def chat(name: str, body: bytes, **reply: Any) -> Exchange:
    return openai(f"chat {name}", "openai.chat", "chat/completions", body, **reply)


def form(boundary: str) -> bytes:
    """A transcription request; SDKs make a new boundary for every call."""
    parts = (("model", "", "", b"whisper-1"), ("prompt", "", "", b"hello"))
    return multipart(boundary, *parts, ("file", "a.wav", "audio/wav", b"RIFF\x00\xff\r\n--not-a-boundary"))


SPEECH = b"ID3\x04\x00" + bytes(range(256)) * 8
VECTOR = {"object": "embedding", "index": 0, "embedding": [0.25, -0.5, 1e-07]}
FLAGS = {"flagged": False, "categories": {"violence": False}, "category_scores": {"violence": 1.2e-05}}
TEXT_COMPLETION: dict[str, Any] = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1760000000,
    "model": "gpt-3.5-turbo-instruct",
}


def legacy(text: str, reason: str | None) -> dict[str, Any]:
    choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": reason}
    return {**TEXT_COMPLETION, "choices": [choice]}


OLD = {"model": "gpt-3.5-turbo-instruct", "prompt": "Say hello."}
ASK_RESPONSE = {"model": MODEL, "input": "Say hello."}
FORM = (*BEARER[1:], ("content-type", "multipart/form-data; boundary=b0"))

CHAT = chat("json", ask(), reply=dump(completion({"content": "Héllo there."})))
CHAT_STREAM = chat(
    "stream with usage",
    ask(stream=True, stream_options={"include_usage": True}),
    events=TEXT_AND_USAGE,
    reply_type=EVENTS,
)
RESPONSES = openai(
    "responses json",
    "openai.responses",
    "responses",
    dump(ASK_RESPONSE),
    reply=dump(response("completed", DONE_ITEM)),
)
RESPONSES_STREAM = openai(
    "responses stream",
    "openai.responses",
    "responses",
    dump({**ASK_RESPONSE, "stream": True}),
    events=RESPONSE_EVENTS,
    reply_type=EVENTS,
)
EMBEDDINGS = openai(
    "embeddings",
    "openai.embeddings",
    "embeddings",
    dump({"model": "text-embedding-3-small", "input": ["hello", "you"]}),
    reply=dump({"object": "list", "data": [VECTOR], "model": "text-embedding-3-small", "usage": USAGE}),
)
TRANSCRIPTION = openai(
    "transcription",
    "openai.audio.transcriptions",
    "audio/transcriptions",
    form("b0"),
    headers=FORM,
    reply=dump({"text": "Hello.", "usage": {"type": "duration", "seconds": 1}}),
)

ALL: tuple[Exchange, ...] = (
    CHAT,
    CHAT_STREAM,
    chat("stream without usage", ask(stream=True), events=TEXT, reply_type=EVENTS),
    chat("stream of a tool call", ask(stream=True, tools=[TOOL]), events=TOOL_CALL, reply_type=EVENTS),
    RESPONSES,
    RESPONSES_STREAM,
    EMBEDDINGS,
    TRANSCRIPTION,
    openai(
        "completions json", "openai.completions", "completions", dump(OLD), reply=dump(legacy("Hi", "stop"))
    ),
    openai(
        "completions stream",
        "openai.completions",
        "completions",
        dump({**OLD, "stream": True}),
        events=sse(legacy("Hi", None), legacy("", "stop"), done=True),
        reply_type=EVENTS,
    ),
    openai(
        "moderations",
        "openai.moderations",
        "moderations",
        dump({"model": "omni-moderation-latest", "input": "hello"}),
        reply=dump({"id": "modr-1", "model": "omni-moderation-latest", "results": [FLAGS]}),
    ),
    openai(
        "images",
        "openai.images",
        "images/generations",
        dump({"model": "gpt-image-1", "prompt": "hello"}),
        reply=dump({"created": 1760000000, "data": [{"b64_json": "iVBORw0KGgo="}]}),
    ),
    openai(
        "speech",
        "openai.audio.speech",
        "audio/speech",
        dump({"model": "tts-1", "voice": "alloy", "input": "hello"}),
        reply=SPEECH,
        reply_type="audio/mpeg",
    ),
)
