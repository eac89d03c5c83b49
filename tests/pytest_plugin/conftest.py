"""Projects with tests of their own, whose LLM calls end at a scripted upstream."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from e2e.conftest import upstream, upstream_session
from e2e.upstream import ScriptedUpstream
from mitmcache.pytest_plugin import session
from mitmcache.pytest_plugin.launch import Launched
from pytest_plugin.project import Project

__all__ = ["upstream", "upstream_session"]

ROOT = Path(__file__).parents[2]
SITE = Path(__file__).with_name("sitecustomize_dial.py")


@pytest.fixture(scope="session")
def dialling(
    upstream_session: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, str]:
    """The environment of a machine whose network is the upstream."""
    site = tmp_path_factory.mktemp("site")
    shutil.copyfile(SITE, site / "sitecustomize.py")
    return {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "addon"), str(site), os.environ.get("PYTHONPATH", "")]),
        "DIAL_PORT": str(upstream_session.tls_port),
        "SSL_CERT_FILE": str(upstream_session.ca_file),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.fixture(scope="session")
def launched(dialling: Mapping[str, str]) -> Iterator[Launched]:
    """One proxy for all projects that say nothing of theirs: between tests it forgets all."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in dialling.items():
            patch.setenv(name, value)
        made = Launched({})
    yield made
    made.stop()


@pytest.fixture
def project(
    pytester: pytest.Pytester,
    upstream: ScriptedUpstream,
    dialling: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Project:
    """On a developer's machine: with a key, and not in CI. Both providers answer."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    for name, value in {**dialling, "TMPDIR": str(temporary)}.items():
        monkeypatch.setenv(name, value)
    for name in ("CI", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    made = Project(pytester, upstream, monkeypatch, temporary)
    made.keys()
    made.answering()
    return made


@pytest.fixture
def within(project: Project, launched: Launched, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose sessions take up the proxy that is there."""

    class Lent:
        def __init__(self, options: Mapping[str, str]) -> None:
            assert not options

        def __getattr__(self, name: str) -> object:
            return getattr(launched, name)

        def stop(self) -> None:
            launched.tell("rest", mode=None)

    monkeypatch.setattr(session, "Launched", Lent)
    return project
