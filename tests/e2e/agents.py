"""Providers' answers to agents: a command to run, Claude's with a subagent after it, then a word."""

import json
from typing import Any

from e2e.answers import Answer, Seen
from e2e.upstream import ScriptedUpstream
from exchanges import anthropic, openai
from exchanges.base import typed_sse

EVENTS = (("content-type", "text/event-stream; charset=utf-8"),)
DONE = "All is done."
ERRAND = "Say that all is done."


def script(upstream: ScriptedUpstream, command: str) -> None:
    """From now on the model has `command` run if it may, and says DONE when it has seen its output."""
    upstream.answer(anthropic.HOST, "/v1/messages", lambda seen: claude(seen, command))
    upstream.answer(openai.HOST, "/v1/responses", lambda seen: codex(seen, command))


def claude(seen: Seen, command: str) -> Answer:
    """After the command it has a subagent do something, if it may: the subagent's call is one more."""
    body = json.loads(seen.body)
    tools, done = {tool.get("name") for tool in body.get("tools", [])}, seen.body.count(b'"tool_result"')
    steps = {
        "Bash": {"command": command, "description": "Runs it"},
        "Agent": {
            "description": "look",
            "prompt": ERRAND,
            "subagent_type": "general-purpose",
            "run_in_background": False,
        },
    }
    name = next(iter(list(steps)[done:]), "")
    if name in tools and ERRAND not in json.dumps(body["messages"][0]):
        used = {"id": f"toolu_{name}", "type": "tool_use", "name": name, "input": {}}
        said = anthropic.arguments(json.dumps(steps[name]))
        events = [*anthropic.block(0, used, said), *anthropic.end("tool_use")]
    else:
        opening = {"type": "text", "text": ""}
        events = [*anthropic.block(0, opening, anthropic.text(DONE)), *anthropic.end("end_turn")]
    return Answer(headers=EVENTS, events=typed_sse(anthropic.START, *events))


def codex(seen: Seen, command: str) -> Answer:
    body = json.loads(seen.body)
    if _has(body["input"], "function_call_output", "custom_tool_call_output"):
        item = {**openai.DONE_ITEM, "content": [{**openai.PART, "text": DONE}]}
    else:
        item = _call(json.dumps(body), command)
    events = typed_sse(
        {"type": "response.created", "sequence_number": 0, "response": openai.response("in_progress")},
        {"type": "response.output_item.done", "sequence_number": 1, "output_index": 0, "item": item},
        {"type": "response.completed", "sequence_number": 2, "response": openai.response("completed", item)},
    )
    return Answer(headers=EVENTS, events=events)


def _call(body: str, command: str) -> dict[str, Any]:
    """By the tool that this model is offered: a function, or a script that calls functions."""
    said = json.dumps({"cmd": command})
    call = {"call_id": "call_1", "status": "completed"}
    if '"name": "exec_command"' in body:
        return {**call, "id": "fc_1", "type": "function_call", "name": "exec_command", "arguments": said}
    script = f"text(await tools.exec_command({said}));"
    return {**call, "id": "ctc_1", "type": "custom_tool_call", "name": "exec", "input": script}


def _has(document: Any, *kinds: str) -> bool:
    """Somewhere in it is an object of one of these types."""
    if isinstance(document, dict):
        return document.get("type") in kinds or any(_has(part, *kinds) for part in document.values())
    return isinstance(document, list) and any(_has(part, *kinds) for part in document)
