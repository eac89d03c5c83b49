"""The agents' own command lines, where MITMCACHE_AGENTS names the folder that has `claude` and `codex` (npm's
`node_modules/.bin`): a run of several turns, with a command in between and a subagent, replays in full."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import ports
from e2e import agents
from e2e.programs import User, user
from e2e.upstream import ScriptedUpstream

PLACE = os.environ.get("MITMCACHE_AGENTS", "")
CLAUDE = ["claude", "--dangerously-skip-permissions", "-p"]
CODEX = ["codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
COMMANDS = {
    "claude": CLAUDE,
    "claude, as events": [*CLAUDE, "--verbose", "--output-format", "stream-json"],
    "codex, whose tool is a script": CODEX,
    "codex, whose tools are functions": [*CODEX, "-m", "gpt-5"],
}
INFERENCE = ("/v1/messages", "/v1/responses")


@pytest.fixture
def anna(tmp_path: Path, confdir: Path, upstream: ScriptedUpstream) -> User:
    agents.script(upstream, "echo hi")
    # what they ask of hosts that are not decrypted ends at the scripted upstream, too
    dummy = {"ANTHROPIC_API_KEY": "test-key", "SSL_CERT_FILE": str(upstream.ca_file), "IS_SANDBOX": "1"}
    return user(tmp_path / "anna", confdir, upstream, PATH=f"{PLACE}:{os.environ['PATH']}", **dummy)


def gone(at: User) -> User:
    """The same, but nobody listens where the upstream was."""
    port = str(ports.free())
    return replace(at, extra={**at.extra, "UPSTREAM_PORT": port, "UPSTREAM_TLS_PORT": port})


def present(command: list[str]) -> list[str]:
    if not PLACE or not shutil.which(command[0], path=PLACE):
        pytest.skip(f"no {command[0]} where MITMCACHE_AGENTS says")
    return command


def asked(upstream: ScriptedUpstream) -> list[str]:
    return [f"{seen.method} {seen.path}" for seen in upstream.seen if seen.path in INFERENCE]


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_an_agent_that_runs_a_command_replays_in_full(anna: User, command: list[str]) -> None:
    present(command)
    prompt = "Run echo hi and stop."
    first = anna.run("exec", *anna.options, "--", *command, prompt)
    # Claude Code asks for more than the turns, a title for instance, and not always
    path, least = ("/v1/messages", 4) if command[0] == "claude" else ("/v1/responses", 2)
    calls = len(asked(anna.upstream))
    second = anna.run("exec", *anna.options, "--", *command, prompt)
    # no WebSocket: an upgrade is a GET, and is refused
    assert asked(anna.upstream) == [f"POST {path}"] * calls and calls >= least, first.stderr
    offline = gone(anna).run("exec", "--mode", "offline", *anna.options, "--", *command, prompt)
    for done, said in (
        (first, f"0 hits, {calls} misses"),
        (second, f"{calls} hits, 0 misses"),
        (offline, f"{calls} hits, 0 misses"),
    ):
        assert (done.returncode, agents.DONE in done.stdout) == (0, True), done.stderr
        last = done.stderr.splitlines()[-1]
        assert last.startswith(f"mitmcache: {said}") and ("saved" in last) == (done is not first)
    assert not anna.processes()


@pytest.mark.parametrize("command", [CLAUDE, CODEX], ids=["claude", "codex"])
def test_offline_an_agent_tells_what_differs(anna: User, command: list[str]) -> None:
    anna.run("exec", *anna.options, "--", *present(command), "Run echo hi and stop.")
    done = gone(anna).run("exec", "--mode", "offline", *anna.options, "--", *command, "Something else.")
    # Codex tries again, 30 times in 25 seconds, whatever it is told
    assert done.returncode == 1 and "nearest stored request" in done.stdout + done.stderr
