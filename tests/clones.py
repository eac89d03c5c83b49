"""A copy of run.sh with recorders in place of Python, mitmproxy and uv: quick, and without a network."""

import json
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.txt", "requirements-dev.txt")
TOOLS = (
    *("sh", "cat", "chmod", "cmp", "cp", "dirname", "env", "flock", "mkdir", "mv", "perl", "readlink", "rm"),
    "uname",
)
RECORDER = """
import json, os, sys
mask = os.umask(0)
print(json.dumps({"argv": sys.argv[1:], "env": dict(os.environ), "pid": os.getpid(), "cwd": os.getcwd(),
                  "umask": mask}))
if "--exit" in sys.argv:
    sys.exit(int(sys.argv[-1]))
if "--wait" in sys.argv:
    sys.stdout.flush()
    sys.stdin.read()
"""
# Does what run.sh asks of uv, and notes it. Fails at the install when $UV_FAILS is set.
UV = """#!/bin/sh
[ "$1" = --version ] && exit
echo "$*" >>"$UV_LOG"
env >"$UV_LOG.env"
if [ "$1" = venv ]; then
    for last; do :; done
    mkdir -p "$last/bin" && cp "$UV_PYTHON" "$last/bin/python"
else
    [ -z "$UV_FAILS" ]
fi
"""


@dataclass(frozen=True)
class Clone:
    root: Path

    def run(self, *args: str, script: Path | None = None, **kwargs: Any) -> subprocess.CompletedProcess[str]:
        command = [str(script or self.root / "run.sh"), *args]
        env = self.env() | kwargs.pop("env", {})
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=100, **kwargs)

    def record(self, *args: str, **kwargs: Any) -> dict[str, Any]:
        """What was started: argv, env, pid, cwd, umask."""
        done = self.run(*args, **kwargs)
        assert done.returncode == 0, done.stderr
        seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return seen

    def env(self) -> dict[str, str]:
        """No Python and no uv but our own can be found."""
        at = self.root.parent
        return {
            "PATH": str(at / "bin"),
            "HOME": str(at),
            "DISPLAY": ":0",
            "UV_LOG": str(at / "uv.log"),
            "UV_PYTHON": str(at / "python"),
        }

    def uv_log(self) -> list[str]:
        log = self.root.parent / "uv.log"
        return log.read_text().splitlines() if log.exists() else []


def without_venv(tmp_path: Path) -> Clone:
    """A clone as git makes it, in a folder with a space; uv is a stub, and no Python can be found."""
    root = tmp_path / "my repo"
    (root / "addon").mkdir(parents=True)
    (root / "addon" / "main.py").touch()
    for name in ("run.sh", *LOCKS):
        shutil.copy(ROOT / name, root / name)
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in TOOLS:
        if path := shutil.which(tool):
            (tools / tool).symlink_to(path)
    recorder = tmp_path / "recorder.py"
    recorder.write_text(RECORDER)
    python = shlex.join([sys.executable, "-IS", str(recorder)])
    program(tmp_path / "python", f'#!/bin/sh\nexec {python} "$@"\n')
    program(tools / "uv", UV)
    return Clone(root)


def with_venv(tmp_path: Path) -> Clone:
    """A clone whose .venv is complete."""
    clone = without_venv(tmp_path)
    fill_venv(clone)
    return clone


def fill_venv(clone: Clone) -> None:
    """What a first run leaves."""
    venv = clone.root / ".venv"
    (venv / "bin").mkdir(parents=True)
    shutil.copy(clone.root.parent / "python", venv / "bin" / "python")
    for lock in LOCKS:
        shutil.copy(clone.root / lock, venv / lock)


def program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
