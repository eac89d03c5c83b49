"""Python with the packages of `requirements.txt`, apart from our own: the clients need not suit mitmproxy."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

LOCK = Path(__file__).with_name("requirements.txt")
DEADLINE = 400
PACKAGES = ("--quiet", "--require-hashes", "--only-binary", ":all:", "-r", str(LOCK))

type Commands = list[tuple[str, ...]]


class NotInstalled(Exception):
    """The packages are not to be had; the text is the last thing that the installer said."""


def install(folder: Path) -> Path:
    """An environment below `folder`, of this version of Python; its interpreter."""
    said = ""
    for name, commands in _ways(folder):
        try:
            for command in commands:
                # elsewhere, since uv applies the pyproject.toml of the folder that it is called in
                subprocess.run(
                    command, cwd=folder, check=True, timeout=DEADLINE, capture_output=True, text=True
                )
        except subprocess.CalledProcessError as error:
            said = f"{name}: {(error.stderr.strip().splitlines() or [str(error.returncode)])[-1]}"
        except subprocess.TimeoutExpired:
            said = f"{name} was not done within {DEADLINE} s"
        else:
            return folder / name / "bin" / "python"
    raise NotInstalled(said)


def _ways(folder: Path) -> Iterator[tuple[str, Commands]]:
    """As in run.sh: uv, which is the faster, where there is one; and pip."""
    if uv := shutil.which("uv"):
        venv = str(folder / "uv")
        make = (uv, "venv", "--quiet", "--python", sys.executable, venv)
        yield "uv", [make, (uv, "pip", "install", "--python", f"{venv}/bin/python", *PACKAGES)]
    venv = str(folder / "pip")
    pip = (f"{venv}/bin/python", "-m", "pip", "--disable-pip-version-check", "install", "--no-compile")
    yield "pip", [(sys.executable, "-m", "venv", venv), (*pip, *PACKAGES)]
