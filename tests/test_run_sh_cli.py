"""run.sh's `mitmcache` in .venv/bin: it finds Python and the package from where it lies."""

import subprocess
import sys
from pathlib import Path

import pytest

from clones import Clone, fill_venv, program, without_venv

WORDS = ["ls", "--model", "a b", "it's"]
# Stands for the package: says which one it is, and what it is told.
STUB = """import sys
def main(prog_name):
    print(prog_name, __file__, sys.flags.safe_path, *sys.argv[1:], sep="|")
"""


@pytest.fixture
def repo(tmp_path: Path) -> Clone:
    """Set up, with a real Python in its .venv and a stub of the package."""
    clone = without_venv(tmp_path)
    fill_venv(clone)
    (clone.root / "addon/mitmcache").mkdir()
    (clone.root / "addon/mitmcache/cli.py").write_text(STUB)
    assert clone.run("setup").returncode == 0
    program(clone.root / ".venv/bin/python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    return clone


def said(*command: str | Path, cwd: Path | None = None) -> list[str]:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=True, cwd=cwd)
    return done.stdout.rstrip("\n").split("|")


def expected(root: Path) -> list[str]:
    return ["mitmcache", str(root / "addon/mitmcache/cli.py"), "True", *WORDS]


def test_it_runs_the_clone_s_package_from_any_folder(repo: Clone, tmp_path: Path) -> None:
    assert said(repo.root / ".venv/bin/mitmcache", *WORDS, cwd=tmp_path) == expected(repo.root)


def test_it_may_be_named_relatively(repo: Clone) -> None:
    assert said("./mitmcache", *WORDS, cwd=repo.root / ".venv/bin") == expected(repo.root)


def test_it_may_be_linked_to(repo: Clone, tmp_path: Path) -> None:
    (tmp_path / "a bin").mkdir()
    link = tmp_path / "a bin" / "mitmcache"
    link.symlink_to("../my repo/.venv/bin/mitmcache")
    assert said(link, *WORDS) == expected(repo.root)


def test_the_clone_may_be_moved(repo: Clone, tmp_path: Path) -> None:
    moved = repo.root.rename(tmp_path / "else where")
    assert said(moved / ".venv/bin/mitmcache", *WORDS) == expected(moved)


def test_run_sh_runs_the_same(repo: Clone) -> None:
    assert said(repo.root / "run.sh", *WORDS) == expected(repo.root)


def test_an_environment_of_before_it_gets_it(repo: Clone) -> None:
    (repo.root / ".venv/bin/mitmcache").unlink()
    assert said(repo.root / "run.sh", *WORDS) == expected(repo.root)


def test_one_that_is_there_stays(repo: Clone) -> None:
    program(repo.root / ".venv/bin/mitmcache", "print('mine', end='')\n")
    assert said(repo.root / "run.sh", *WORDS) == ["mine"]
