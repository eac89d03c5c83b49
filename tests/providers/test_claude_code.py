from typing import Any

import pytest

from mitmcache.providers.claude_code import prune, unnamed

SESSION = "c3554553-a34c-463d-b9b9-5490f9db2dbc"
HEAD = "<persisted-output>\nOutput too large (164.9KB). Full output saved to: /home/a/.claude/projects/-a/"
REST = ".txt\n\nPreview (first 2KB):\n1\n2\n</persisted-output>"


def saved(session: str, name: str) -> str:
    return f"{HEAD}{session}/tool-results/{name}{REST}"


def result(content: Any) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": "toolu_1", "content": content}
    return {"messages": [{"role": "user", "content": [block, {"type": "text", "text": content}]}]}


def test_where_a_long_output_is_saved_does_not_count_and_the_output_does() -> None:
    assert unnamed(saved(SESSION, "bgket0vzd")) == HEAD + REST
    windows = saved(SESSION, "b1").replace("/", "\\")
    assert unnamed(windows) == (HEAD + REST).replace("/", "\\")
    text = saved(SESSION, "b1")
    for content, left in ((text, HEAD + REST), ([{"type": "text", "text": text}], None)):
        body = result(content)
        prune(body)
        [block, said] = body["messages"][0]["content"]
        assert block["content"] == (left or [{"type": "text", "text": HEAD + REST}])
        assert left is None or said["text"] == text  # what is no tool's output stays


def reported(name: str, milliseconds: int, report: str = "Done.") -> str:
    more = f"agentId: {name} (use SendMessage with to: '{name}', to continue this agent)"
    return f"{report}\n{more}\n<usage>subagent_tokens: 12\ntool_uses: 0\nduration_ms: {milliseconds}</usage>"


def test_which_run_of_a_subagent_it_was_does_not_count_and_its_report_does() -> None:
    assert (
        unnamed(reported("a53aa", 389)) == unnamed(reported("abbbc", 18)) != unnamed(reported("a", 1, "No."))
    )
    assert unnamed(reported("a1", 1)) == "Done.\n<usage>subagent_tokens: 12\ntool_uses: 0\n</usage>"
    twice = reported("a2", 2, reported("a1", 1))
    assert unnamed(twice).startswith(reported("a1", 1))  # the end alone is not the subagent's own


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hi",
        f"{reported('a1', 1)} it said",
        reported("A subagent", 1),
        reported("a1", 1).replace("duration_ms: 1", "duration_ms: long"),
        "duration_ms: 12</usage>",
        f"I saw this: {saved(SESSION, 'b1')}",
        saved("my-session", "b1"),
        saved(SESSION, "b1").replace("tool-results", "results"),
        saved(SESSION, "b1").replace("Full output saved to", "See"),
    ],
)
def test_what_a_tool_says_itself_counts(text: str) -> None:
    assert unnamed(text) == text


@pytest.mark.parametrize("body", [{}, [], None, {"messages": "x"}, {"messages": [1, {"content": "x"}]}])
def test_other_bodies_are_left_as_they_are(body: Any) -> None:
    prune(body)
    assert body in ({}, [], None, {"messages": "x"}, {"messages": [1, {"content": "x"}]})


@pytest.mark.parametrize("content", [None, 1, [None, {"text": 1}]])
def test_so_are_results_of_another_form(content: Any) -> None:
    body = result(content)
    prune(body)
    assert body == result(content)
