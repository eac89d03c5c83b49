"""Somebody's project with marked tests, and what becomes of them."""

import textwrap
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from e2e.upstream import ScriptedUpstream

# where the package is installed, pytest finds the plugin by itself, and must not be given it twice
PLUGIN = () if entry_points(group="pytest11", name="mitmcache") else ("-p", "mitmcache.pytest_plugin")
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
ASKS = """
import openai, pytest

def ask(text):
    with openai.OpenAI(max_retries=0, timeout=15) as client:
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

    def run(self, *arguments: str, **outcomes: int) -> str:
        """What pytest said, once the outcomes are as given."""
        options = (*PLUGIN, "-p", "no:cacheprovider", "--strict-markers")
        result = self.pytester.runpytest_subprocess(*options, *arguments, timeout=100)
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
