"""Projects with tests of their own, run by a pytest of their own; what their proxies dial is scripted."""

import json
import os
import shutil
from pathlib import Path

import pytest

from e2e.answers import Answer, Seen
from e2e.conftest import upstream, upstream_session
from e2e.upstream import ScriptedUpstream
from exchanges import anthropic, openai
from exchanges.base import dump
from pytest_plugin.project import Project

__all__ = ["upstream", "upstream_session"]

ROOT = Path(__file__).parents[2]
SITE = Path(__file__).with_name("sitecustomize_dial.py")


@pytest.fixture
def project(
    pytester: pytest.Pytester, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Project:
    """On a developer's machine: with a key, and not in CI. Both providers answer."""
    site = tmp_path / "site"
    site.mkdir()
    shutil.copyfile(SITE, site / "sitecustomize.py")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    for name, value in {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "addon"), str(site), os.environ.get("PYTHONPATH", "")]),
        "DIAL_PORT": str(upstream.tls_port),
        "SSL_CERT_FILE": str(upstream.ca_file),
        "TMPDIR": str(temporary),
        "PYTHONDONTWRITEBYTECODE": "1",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("CI", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    made = Project(pytester, upstream, monkeypatch, temporary)
    made.keys()
    upstream.answer(openai.HOST, "/v1/chat/completions", echo)
    upstream.answer(anthropic.HOST, "/v1/messages", Answer(body=anthropic.MESSAGES.reply))
    return made


def echo(seen: Seen) -> Answer:
    text = json.loads(seen.body)["messages"][0]["content"]
    return Answer(body=dump(openai.completion({"content": f"You said {text}."})))
