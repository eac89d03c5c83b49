"""The streams whose events have a type, and blocks that begin, grow and end."""

from collections.abc import Callable
from typing import Any

from mitmcache.providers.base import Json
from mitmcache.providers.tools import dicts, dig
from mitmcache.reading.documents import Named
from mitmcache.reading.pieces import Slots, grow, joined


def messages(events: list[Named]) -> Json:
    """Anthropic's."""
    message: dict[str, Any] = {}
    content = Slots()
    for name, event in events:
        match dig(event, "type") or name:
            case "message_start":
                message |= known if isinstance(known := dig(event, "message"), dict) else {}
            case "content_block_start":
                content.put(event.get("index"), event.get("content_block"))
            case "content_block_delta":
                _claude(content.at(event.get("index")), dig(event, "delta"))
            case "message_delta":
                message["stop_reason"] = dig(event, "delta", "stop_reason") or message.get("stop_reason")
    for block in content.all():
        joined(block, "text", "thinking", "pieces")
        if pieces := block.pop("pieces", None):
            block["input"] = pieces
    return {**message, "content": content.all()} if message or content else None


def _claude(block: dict[str, Any], delta: Json) -> None:
    kind = dig(delta, "type")
    if "type" not in block:
        block["type"] = {"thinking_delta": "thinking", "input_json_delta": "tool_use"}.get(str(kind), "text")
    grow(block, "text", dig(delta, "text"))
    grow(block, "thinking", dig(delta, "thinking"))
    grow(block, "pieces", dig(delta, "partial_json"))


def complete(events: list[Named]) -> Json:
    whole: dict[str, Any] = {}
    for _, event in events:
        grow(whole, "completion", dig(event, "completion"))
        whole["stop_reason"] = dig(event, "stop_reason") or whole.get("stop_reason")
    return joined(whole, "completion") if events else None


def responses(events: list[Named]) -> Json:
    """The last event has the whole; of a stream that was cut, the items so far."""
    items, last = Slots(), {}
    for name, event in events:
        kind = str(dig(event, "type") or name)
        place = dig(event, "output_index")
        if isinstance(response := dig(event, "response"), dict):
            last = response
        elif kind in ("response.output_item.added", "response.output_item.done"):
            items.put(place, dig(event, "item"))
        elif kind in ("response.output_text.delta", "response.refusal.delta"):
            grow(items.at(place), "said", dig(event, "delta"))
        elif kind.endswith("_arguments.delta"):
            grow(items.at(place), "given", dig(event, "delta"))
        elif kind.startswith("response.reasoning") and kind.endswith(".delta"):
            grow(items.at(place), "thought", dig(event, "delta"))
    if not last and not items:
        return None
    return last if last.get("output") else {**last, "output": [_item(each) for each in items.all()]}


def _item(item: dict[str, Any]) -> dict[str, Any]:
    """An item with the pieces that came after it; one that is done has them in itself."""
    joined(item, "said", "given", "thought")
    said, given, thought = item.pop("said", None), item.pop("given", None), item.pop("thought", None)
    if given and not item.get("arguments"):
        item["arguments"] = given
    if thought and not item.get("summary"):
        item = {"type": "reasoning", **item, "summary": thought}
    if said and not item.get("content"):
        item = {"type": "message", "role": "assistant", **item, "content": said}
    return item


def interaction(events: list[Named]) -> Json:
    whole: dict[str, Any] = {}
    steps = Slots()
    for name, event in events:
        kind = str(dig(event, "event_type") or name)
        if isinstance(said := dig(event, "interaction"), dict):
            whole |= said
        elif kind.endswith(".start"):
            steps.put(dig(event, "index"), dig(event, "step") or dig(event, "content"))
        elif kind.endswith(".delta"):
            _step(steps.at(dig(event, "index")), dig(event, "delta"))
    for step in steps.all():
        joined(step, "pieces", "given")
        if pieces := step.pop("pieces", None):
            step["content"] = pieces
        if given := step.pop("given", None):
            step["arguments"] = given
    return {**whole, "steps": whole.get("steps") or steps.all()} if whole or steps else None


def _step(step: dict[str, Any], delta: Json) -> None:
    grow(step, "pieces", dig(delta, "text") or dig(delta, "content", "text"))
    grow(step, "given", dig(delta, "arguments") or dig(delta, "partial_arguments"))


def converse(events: list[Named]) -> Json:
    """Bedrock's, and Nova's own, where the name is the one field of the event."""
    content, stop, begun = Slots(), None, False
    for name, event in events:
        for kind, value in [(name, event)] if name in _FRAMES else list(event.items()):
            begun = begun or kind in _FRAMES
            place = dig(value, "contentBlockIndex")
            if kind == "contentBlockStart" and isinstance(use := dig(value, "start", "toolUse"), dict):
                content.at(place)["toolUse"] = dict(use)
            elif kind == "contentBlockDelta":
                _block(content.at(place), dig(value, "delta"))
            elif kind == "messageStop":
                stop = dig(value, "stopReason")
    if not begun:
        return None
    blocks: list[dict[str, Any]] = []
    for block in map(_joined, content.all()):
        # Nova gives every piece of a text an index of its own
        if blocks and block.keys() == blocks[-1].keys() == {"text"}:
            blocks[-1]["text"] += block["text"]
        else:
            blocks.append(block)
    return {"output": {"message": {"role": "assistant", "content": blocks}}, "stopReason": stop}


_FRAMES = ("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop")


def _block(block: dict[str, Any], delta: Json) -> None:
    grow(block, "text", dig(delta, "text"))
    grow(block, "thought", dig(delta, "reasoningContent", "text"))
    if isinstance(pieces := dig(delta, "toolUse", "input"), str):
        grow(block.setdefault("toolUse", {}), "input", pieces)


def _joined(block: dict[str, Any]) -> dict[str, Any]:
    joined(block, "text", "thought")
    if thought := block.pop("thought", None):
        return {"reasoningContent": {"reasoningText": {"text": thought}}}
    if isinstance(use := block.get("toolUse"), dict):
        joined(use, "input")
    return block


def cohere_v2(events: list[Named]) -> Json:
    content, calls = Slots(), Slots()
    whole: dict[str, Any] = {"message": {"role": "assistant"}}
    for name, event in events:
        delta, place = dig(event, "delta"), dig(event, "index")
        said = dig(delta, "message")
        match dig(event, "type") or name:
            case "content-start":
                content.put(place, dig(said, "content"))
            case "content-delta":
                grow(content.at(place), "text", dig(said, "content", "text"))
                grow(content.at(place), "thinking", dig(said, "content", "thinking"))
            case "tool-plan-delta":
                grow(whole["message"], "tool_plan", dig(said, "tool_plan"))
            case "tool-call-start" | "tool-call-delta":
                call, given = calls.at(place), dig(said, "tool_calls")
                call["id"] = call.get("id") or dig(given, "id")
                call["name"] = call.get("name") or dig(given, "function", "name")
                grow(call, "arguments", dig(given, "function", "arguments"))
            case "message-end":
                whole["finish_reason"] = dig(delta, "finish_reason")
    if not events:
        return None
    blocks = [joined(each, "text", "thinking") for each in content.all()]
    made = [{"id": call.pop("id", None), "function": joined(call, "arguments")} for call in calls.all()]
    joined(whole["message"], "tool_plan")
    whole["message"] |= {"content": blocks, "tool_calls": made}
    return whole


def invoked(events: list[Named], chat: Callable[[list[Named]], Json]) -> Json:
    """The model's own events: Claude's, Nova's, OpenAI's, or a text in one of a few fields."""
    if any(dicts(dig(event, "choices")) for _, event in events):
        return chat(events)
    if any(dig(event, "type") == "message_start" for _, event in events):
        return messages(events)
    if (nova := converse([("", event) for _, event in events if isinstance(event, dict)])) is not None:
        return nova
    whole: dict[str, Any] = {}
    for _, event in events:
        for name in ("completion", "generation", "outputText", "text"):
            grow(whole, "completion", dig(event, name))
        for output in dicts(dig(event, "outputs")):
            grow(whole, "completion", output.get("text"))
        stop = dig(event, "stop_reason") or dig(event, "completionReason") or dig(event, "finish_reason")
        whole["stop_reason"] = stop or whole.get("stop_reason")
    known = whole.get("completion") or whole.get("stop_reason")
    return joined(whole, "completion") if known else None
