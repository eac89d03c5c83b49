"""Two runs of an agent with one prompt are the same calls, for all the ids that it puts into them."""

import json
from pathlib import Path
from typing import Any

import pytest

from asked import call_of, key_of

AGENTS = Path(__file__).parent / "data" / "agents"


def agent_calls(client: str) -> list[dict[str, Any]]:
    lines = (AGENTS / f"{client}.jsonl").read_bytes().splitlines()
    return [json.loads(line) for line in lines]


def agent_keys(client: str, run: int) -> list[str]:
    keys = []
    for entry in agent_calls(client):
        if entry["inference"] and entry["run"] == run:
            call = call_of(entry["request"], json.dumps(entry["request"]["body"]).encode())
            assert call
            keys.append(key_of(call))
    return keys


@pytest.mark.parametrize("client", ["claude", "codex"])
def test_an_agents_second_run_makes_the_same_calls_and_another_prompt_others(client: str) -> None:
    first, second, other = (agent_keys(client, run) for run in (1, 2, 3))
    assert first == second and len(first) == len(set(first)) > 0
    assert not set(first) & set(other)


@pytest.mark.parametrize("client", ["claude", "codex"])
def test_what_else_an_agent_asks_for_is_no_call(client: str) -> None:
    others = [entry["request"] for entry in agent_calls(client) if not entry["inference"]]
    assert others and [request["url"] for request in others if call_of(request, b"")] == []
