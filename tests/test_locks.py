"""The lock files: complete, hashed, and in step with pyproject.toml and with each other."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mitmcache

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.txt", "requirements-dev.txt")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def pins(lock: str) -> dict[str, list[str]]:
    """Each pin with its marker, and its hashes."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / lock).read_text().splitlines():
        text = line.strip().removesuffix("\\").rstrip()
        if text.startswith("--hash="):
            found[list(found)[-1]].append(text)
        elif text and not text.startswith("#"):
            found[text] = []
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_is_one_version_with_hashes(lock: str) -> None:
    for pin, hashes in pins(lock).items():
        assert re.fullmatch(r"==[\w.]+", str(Requirement(pin).specifier)), pin
        assert hashes and all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes), pin


@pytest.mark.parametrize("lock", LOCKS)
def test_no_registry_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert "index-url" not in text


def test_the_development_set_holds_the_proxy_s_in_the_same_versions() -> None:
    run, dev = (pins(lock) for lock in LOCKS)
    assert run.items() <= dev.items()


@pytest.mark.parametrize(
    ("lock", "asked"),
    [
        ("requirements.txt", PROJECT["dependencies"] + EXTRAS["demo"]),
        (
            "requirements-dev.txt",
            PROJECT["dependencies"] + [pin for extra in EXTRAS.values() for pin in extra],
        ),
    ],
)
@pytest.mark.parametrize("python", ["3.12.1", "3.13.0"])
def test_all_that_the_project_asks_for_is_locked(lock: str, asked: list[str], python: str) -> None:
    """On both Pythons: a pin may be for one of them alone."""
    environment = {"python_version": python.rpartition(".")[0], "python_full_version": python}
    here = [Requirement(pin) for pin in pins(lock)]
    locked = {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in here
        if pin.marker is None or pin.marker.evaluate(environment)
    }
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), requirement


def test_the_version_is_kept_in_the_package_alone() -> None:
    assert "version" in PROJECT["dynamic"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", mitmcache.__version__)
