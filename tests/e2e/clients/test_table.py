"""What the README says of the clients is what was tried."""

import re
from pathlib import Path

from e2e.clients import packages
from e2e.programs import ROOT

ASKED_FOR = packages.LOCK.with_suffix(".in").read_text(encoding="utf-8").split()
OURS = ROOT / "requirements-dev.txt"
"""One client is also tried from there, in its next version."""


def pinned(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE))


def rows() -> list[list[str]]:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Clients\n")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "|" in line
    ]


def test_the_versions_of_the_readme_are_those_of_the_lock_file() -> None:
    pins, told = pinned(packages.LOCK), set()
    for names, versions, *_ in rows():
        tried = [pins[name] for name in names.split(", ") if name in pins]
        told |= set(names.split(", "))
        also = [pinned(OURS)["openai"]] if names == "openai" else []
        assert not tried or versions.split(", ") == [*tried, *also], names
    assert {name for name in ASKED_FOR if not name.startswith("langchain-")} <= told


def test_the_versions_of_langchains_parts_are_told() -> None:
    [notes] = [row[-1] for row in rows() if row[0] == "langchain"]
    pins = pinned(packages.LOCK)
    for name in ("langchain-openai", "langchain-anthropic"):
        assert f"{name} {pins[name]}" in notes
