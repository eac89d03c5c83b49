"""`mitmcache`, as it is started."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from clones import ROOT
from mitmcache import __version__
from mitmcache.cli import main


def run(*words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "addon")}
    command = [sys.executable, *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=100, check=True)


def test_the_module_tells_its_version() -> None:
    assert run("-m", "mitmcache", "--version").stdout == f"mitmcache {__version__}\n"


def test_help_and_the_local_commands_import_neither_boto3_nor_mitmproxy() -> None:
    loaded = run("-c", "import sys, mitmcache.cli; print(*{name.partition('.')[0] for name in sys.modules})")
    assert not {"boto3", "botocore", "mitmproxy"} & set(loaded.stdout.split())


@pytest.mark.parametrize("name", ["ls", "show", "explain", "stats", "purge", "export", "import", "bucket"])
def test_every_command_explains_itself(name: str) -> None:
    done = CliRunner().invoke(main, [name, "--help"])
    assert done.exit_code == 0
    assert done.stdout.startswith("Usage: ") and "\n\n  " in done.stdout


def test_no_command_and_an_unknown_one_are_wrong_usage() -> None:
    assert CliRunner().invoke(main, []).exit_code == 2
    assert CliRunner().invoke(main, ["nonsense"]).exit_code == 2
