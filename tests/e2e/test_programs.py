"""Programs that are not Python, from a clean environment: a second run is all hits, and so is one without an
upstream, where what is not stored fails at once and says what differs."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import ports
from e2e import node
from e2e.answers import Answer, Seen
from e2e.client import answer_of
from e2e.node import absent
from e2e.programs import ROOT, User, user
from e2e.proxy import ProxyProcess
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange, anthropic, openai
from mitmcache.cli import words

SOURCES = Path(__file__).parent / "sources"
URL = "https://api.openai.com/v1/chat/completions"
FIELDS = ("content-type: application/json", "authorization: Bearer test-key")
PICKED_UP = "Picked up JAVA_TOOL_OPTIONS: "


def by_stream(whole: Exchange, stream: Exchange) -> Callable[[Seen], Answer]:
    return lambda seen: answer_of(stream if json.loads(seen.body).get("stream") else whole)


@dataclass
class Gone:
    """An upstream where nobody listens."""

    port: int
    tls_port: int
    ca_file: Path


@pytest.fixture(scope="module")
def anna(upstream_session: ScriptedUpstream, confdir: Path, tmp_path_factory: pytest.TempPathFactory) -> User:
    keys = {"ANTHROPIC_API_KEY": "test-key"}
    return user(tmp_path_factory.mktemp("programs") / "anna", confdir, upstream_session, **keys)


@pytest.fixture(scope="module")
def offline(proxy: ProxyProcess) -> Iterator[ProxyProcess]:
    """A proxy with the cache of the module's own, and without an upstream."""
    port = ports.free()
    options = {"llm_data_dir": str(proxy.data_dir), "llm_mode": "offline"}
    gone = Gone(port, port, proxy.upstream.ca_file)
    with ProxyProcess(gone, proxy.folder / "offline", proxy.confdir, options) as running:
        yield running
    assert not running.crashes, running.log


@pytest.fixture(autouse=True)
def answers(upstream: ScriptedUpstream) -> None:
    upstream.answer(openai.HOST, "/v1/chat/completions", by_stream(openai.CHAT, openai.CHAT_STREAM))
    upstream.answer(openai.HOST, "/v1/responses", by_stream(openai.RESPONSES, openai.RESPONSES_STREAM))
    upstream.answer(anthropic.HOST, "/v1/messages", by_stream(anthropic.MESSAGES, anthropic.MESSAGES_STREAM))


def body(word: str, stream: bool) -> str:
    message = {"role": "user", "content": word}
    return json.dumps({"model": "gpt-4o-mini", "messages": [message], **({"stream": True} if stream else {})})


def curl(at: User, word: str) -> list[str]:
    return [
        "curl",
        "-sSN",
        "--fail-with-body",
        *(f"-H{field}" for field in FIELDS),
        "-d",
        body(word, True),
        URL,
    ]


def wget(at: User, word: str) -> list[str]:
    headers = [f"--header={field}" for field in FIELDS]
    return ["wget", "-q", "-O-", "--content-on-error", *headers, f"--post-data={body(word, False)}", URL]


def java(at: User, word: str) -> list[str]:
    return ["java", str(SOURCES / "Calls.java"), word]


def node_sdks(at: User, word: str) -> list[str]:
    modules = node.modules()
    if not (at.home / "node_modules").exists():
        (at.home / "node_modules").symlink_to(modules)
        shutil.copy(SOURCES / "calls.mjs", at.home)
    return [str(node.node_bin() / "node"), str(at.home / "calls.mjs"), word]


PROGRAMS = {"curl": (curl, 1), "wget": (wget, 1), "java": (java, 3), "node": (node_sdks, 6)}


def through(at: User, proxy: ProxyProcess, command: list[str]) -> "subprocess.CompletedProcess[str]":
    told = {"MITMCACHE_PROXY": proxy.url}
    return replace(at, extra={**at.extra, **told}).run("exec", "--", *command)


def said(done: "subprocess.CompletedProcess[str]") -> list[str]:
    """Beside its output, without what was saved. The JVM tells that it has read its variable, and cannot be
    kept from it."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith(PICKED_UP)]
    return [re.sub(", [^ ]+ (?:token|call)s? .* saved$", "", line) for line in lines]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_second_run_is_all_hits_and_so_is_one_without_an_upstream(
    anna: User, proxy: ProxyProcess, offline: ProxyProcess, upstream: ScriptedUpstream, name: str, word: str
) -> None:
    program, calls = PROGRAMS[name]
    if name != "node" and not shutil.which(name):
        absent(name)
    command, before = program(anna, word), proxy.stats()["stored"]
    first = through(anna, proxy, command)
    proxy.wait_stats(lambda stats: stats["stored"] == before + calls)
    second, third = through(anna, proxy, command), through(anna, offline, command)
    hits, misses = (f"mitmcache: {words.count(calls, 'hit')}, 0 misses", words.count(calls, "miss", "misses"))
    assert [said(first), said(second), said(third)] == [[f"mitmcache: 0 hits, {misses}"], [hits], [hits]]
    assert [first.returncode, second.returncode, third.returncode] == [0, 0, 0]
    assert first.stdout == second.stdout == third.stdout and "there." in first.stdout
    assert len(upstream.seen) == calls
    # nothing is tried again
    other = through(anna, offline, program(anna, f"{word} more"))
    assert (other.returncode != 0, said(other)[-1]) == (True, f"mitmcache: 0 hits, {misses}")
    assert other.stdout.count("the nearest stored request (") == calls and word not in other.stdout


def repository(at: User, upstream: ScriptedUpstream) -> dict[str, bytes]:
    """A repository of one commit at https://plain.example/a.git, as files; what the commit holds."""
    files = {"README": b"hello\n", "blob.bin": os.urandom(300_000)}
    work, bare = at.home / "work", at.home / "a.git"
    work.mkdir()
    for name, data in files.items():
        (work / name).write_bytes(data)
    author = ["-c", "user.name=a", "-c", "user.email=a@plain.example", "-c", "commit.gpgsign=false"]
    for command in (
        ["init", "-q", "-b", "main", str(work)],
        ["-C", str(work), "add", "."],
        ["-C", str(work), *author, "commit", "-qm", "one"],
        ["clone", "-q", "--bare", str(work), str(bare)],
        ["-C", str(bare), "gc", "-q"],
        ["-C", str(bare), "update-server-info"],
    ):
        subprocess.run(["git", *command], env=at.environ, check=True, capture_output=True, timeout=60)
    for path in filter(Path.is_file, bare.rglob("*")):
        answer = Answer(headers=(("content-type", "application/octet-stream"),), body=path.read_bytes())
        upstream.answer("plain.example", f"/a.git/{path.relative_to(bare)}", answer)
    return files


def test_git_clones_as_if_there_were_no_proxy(
    anna: User, proxy: ProxyProcess, upstream: ScriptedUpstream
) -> None:
    if not shutil.which("git"):
        absent("git")
    files, copy, before = repository(anna, upstream), anna.home / "copy", proxy.stats()
    # the certificate that it sees is the upstream's own
    trusting = replace(anna, extra={**anna.extra, "GIT_SSL_CAINFO": str(upstream.ca_file)})
    command = ["git", "clone", "-q", "https://plain.example/a.git", str(copy)]
    assert through(anna, proxy, command).returncode == 128
    done = through(trusting, proxy, command)
    assert (done.returncode, said(done)) == (0, ["mitmcache: 0 hits, 0 misses"]), done.stderr
    assert {name: (copy / name).read_bytes() for name in files} == files
    assert proxy.stats() == before


def test_doctor_tells_a_node_that_reads_the_variables_from_an_older_one(
    anna: User, proxy: ProxyProcess, tmp_path: Path
) -> None:
    (tmp_path / "node").write_text("#!/bin/sh\necho v20.20.2\n")
    (tmp_path / "node").chmod(0o755)
    told = {"MITMCACHE_PROXY": proxy.url}
    found = [
        replace(anna, extra={**anna.extra, **told, "PATH": f"{place}:{os.environ['PATH']}"}).run(
            "doctor", "--", "node"
        )
        for place in (node.node_bin(), tmp_path)
    ]
    assert [done.returncode for done in found] == [0, 1]
    assert "Node 24." in found[0].stdout and "reaches the proxy and trusts its CA" in found[0].stdout
    assert "Node 20.20.2 ignores HTTPS_PROXY" in found[1].stdout and "24.5 or newer" in found[1].stdout


def test_the_versions_of_the_readme_are_those_that_are_tried() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pins = json.loads(node.PACKAGES.read_bytes())["dependencies"]
    for name, package in (("OpenAI", "openai"), ("Anthropic", "@anthropic-ai/sdk")):
        assert f"| {name} for Node | {pins[package]}, on Node 24." in readme
