"""Somebody's project with marked tests, and what becomes of them."""

import json
import textwrap
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import anthropic
import openai
import pytest
import requests

from bundles import keys_of
from e2e.answers import Answer, Seen
from e2e.upstream import ScriptedUpstream
from exchanges import anthropic as anthropic_calls
from exchanges import openai as openai_calls
from exchanges.base import dump
from mitmcache.bundle.file import Member, read_bundle
from mitmcache.cache import record
from mitmcache.pytest_plugin import recording, session

# what a session in this process imports is forgotten after it, and imported anew by the next: not these
LOADED = (anthropic, openai, recording, requests, session)
# where the package is installed, pytest finds the plugin by itself, and must not be given it twice
PLUGIN = () if entry_points(group="pytest11", name="mitmcache") else ("-p", "mitmcache.pytest_plugin")
# what costs time in each session, and is not looked at
QUIET = (
    *("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:timeout"),
    *("-W", "default", "-o", "asyncio_default_fixture_loop_scope=function"),
)
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY")
ASKS = """
import openai, pytest

def ask(text):
    with openai.OpenAI(max_retries=0, timeout=60) as client:
        message = [{"role": "user", "content": text}]
        reply = client.chat.completions.create(model="gpt-4o-mini", messages=message)
    return reply.choices[0].message.content
"""
"""For projects to ask something of OpenAI with."""
HELLO = """
@pytest.mark.mitmcache
def test_hello():
    assert "{}" in ask("hello")
"""
"""To be formatted with what the answer to "hello" has in it."""


@dataclass
class Project:
    pytester: pytest.Pytester
    upstream: ScriptedUpstream
    monkeypatch: pytest.MonkeyPatch
    temporary: Path
    """The folder for temporary files of all that runs for it."""

    def answering(self) -> None:
        """Both providers do."""
        self.upstream.answer(openai_calls.HOST, "/v1/chat/completions", echo)
        self.upstream.answer(
            anthropic_calls.HOST, "/v1/messages", Answer(body=anthropic_calls.MESSAGES.reply)
        )

    def answers(self, recording: str) -> int:
        return len(keys_of(self.pytester.path / recording))

    def recorded(self) -> bytes:
        """All that is in the recordings, also what is compressed there."""
        found = []
        for name in self.recordings:
            path = self.pytester.path / name
            found.append(path.read_bytes())
            with path.open("rb") as file:
                parts = (part for part in read_bundle(file) if isinstance(part, Member))
                found += [record.decode(part.file.read(part.size), part.key).body for part in parts]
        return b"".join(found)

    def keys(self) -> None:
        for name in KEYS:
            self.monkeypatch.setenv(name, f"sk-{name.lower()}-of-the-developer")

    def elsewhere(self) -> None:
        """Now it is a machine with no key, and with no network."""
        for name in KEYS:
            self.monkeypatch.delenv(name, raising=False)
        self.monkeypatch.setenv("DIAL_PORT", "1")
        self.upstream.reset()

    def write(self, text: str, name: str = "test_it") -> Path:
        return self.pytester.makepyfile(**{name: textwrap.dedent(text)})

    def asking(self, body: str, name: str = "test_it") -> Path:
        """A test file that has `ask(text)`."""
        return self.write(ASKS + textwrap.dedent(body), name)

    def run(self, *arguments: str, apart: bool = False, **outcomes: int) -> str:
        """What pytest said, once the outcomes are as given. `apart`: in a process of its own."""
        options = (*PLUGIN, *QUIET, "--strict-markers", *arguments)
        if apart:
            result = self.pytester.runpytest_subprocess(*options, timeout=100)
        else:
            result = self.pytester.runpytest_inprocess(*options)
        said = result.stdout.str() + result.stderr.str()
        if outcomes:
            result.assert_outcomes(**outcomes)
        return said

    @property
    def recordings(self) -> list[str]:
        folder = self.pytester.path
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.tar"))

    @property
    def calls(self) -> int:
        """That have reached the upstream."""
        return len(self.upstream.seen)


def echo(seen: Seen) -> Answer:
    text = json.loads(seen.body)["messages"][0]["content"]
    return Answer(body=dump(openai_calls.completion({"content": f"You said {text}."})))
